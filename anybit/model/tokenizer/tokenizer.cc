#include "anybit/model/tokenizer/tokenizer.h"

#include <algorithm>
#include <array>

#include "anybit/model/tokenizer/internal/pipeline.h"

namespace anybit::model {
namespace internal {
namespace {

// The spellings that end a turn or a text in the model families this product runs.
constexpr std::array<std::string_view, 8> kEndSpellings = {
    "<|eot_id|>", "<|im_end|>",    "<|end|>", "<end_of_turn>",
    "<|eom_id|>", "<|endoftext|>", "<EOT>",   "<|end_of_text|>"};

}  // namespace

void find_end_ids(Pipeline& pipeline) {
  std::vector<int32_t>& ids = pipeline.end_ids;
  if (pipeline.roles.eos) ids.push_back(*pipeline.roles.eos);
  for (const std::string_view spelling : kEndSpellings) {
    const int32_t id = pipeline.spellings.find(spelling);
    if (id >= 0) ids.push_back(id);
  }
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
}

}  // namespace internal

namespace {

constexpr size_t kMaxTextBytes = size_t{1} << 30;

const std::string& decoded_form(const internal::VocabularyEntry& entry) {
  return entry.normalized.empty() ? entry.spelling : entry.normalized;
}

}  // namespace

Tokenizer::Tokenizer(std::unique_ptr<const internal::Pipeline> pipeline)
    : pipeline_(std::move(pipeline)) {}
Tokenizer::Tokenizer(Tokenizer&&) noexcept = default;
Tokenizer& Tokenizer::operator=(Tokenizer&&) noexcept = default;
Tokenizer::~Tokenizer() = default;

Result<std::vector<int32_t>> Tokenizer::encode(std::string_view text, EncodeOptions options) const {
  if (text.size() > kMaxTextBytes) {
    return fail(ErrorCode::kInvalidArgument, "text: expected at most {} bytes, found {}",
                kMaxTextBytes, text.size());
  }
  Result<std::vector<int32_t>> ids = internal::encode_text(*pipeline_, text, options.parse_special);
  if (!ids) return with_context(std::move(ids).error(), pipeline_->name);
  if (options.add_special) {
    ids->insert(ids->begin(), pipeline_->prefix_ids.begin(), pipeline_->prefix_ids.end());
    ids->insert(ids->end(), pipeline_->suffix_ids.begin(), pipeline_->suffix_ids.end());
  }
  return ids;
}

Result<std::string> Tokenizer::decode(std::span<const int32_t> ids, DecodeOptions options) const {
  std::vector<internal::TokenText> tokens;
  tokens.reserve(ids.size());
  for (size_t i = 0; i < ids.size(); ++i) {
    if (ids[i] < 0 || ids[i] >= vocab_size()) {
      return fail(ErrorCode::kInvalidArgument, "{}: ids[{}]: expected 0 to {}, found {}",
                  pipeline_->name, i, vocab_size() - 1, ids[i]);
    }
    const internal::VocabularyEntry& entry = pipeline_->vocabulary[ids[i]];
    if ((entry.is_special && options.skip_special) || entry.spelling.empty()) continue;
    std::string text = decoded_form(entry);
    if (pipeline_->joins_with_spaces && !tokens.empty()) text.insert(0, " ");
    tokens.push_back({std::move(text), entry.is_verbatim});
  }
  return internal::run_decoder(pipeline_->decoders, std::move(tokens), false);
}

std::string Tokenizer::token_bytes(int32_t id) const {
  if (id < 0 || id >= vocab_size()) return {};
  const internal::VocabularyEntry& entry = pipeline_->vocabulary[id];
  Result<std::string> bytes = internal::run_decoder(
      pipeline_->decoders, {{decoded_form(entry), entry.is_verbatim}}, /*in_middle=*/true);
  return bytes ? std::move(*bytes) : entry.spelling;
}

std::string_view Tokenizer::token_text(int32_t id) const {
  if (id < 0 || id >= vocab_size()) return {};
  return pipeline_->vocabulary[id].spelling;
}

std::optional<int32_t> Tokenizer::token_id(std::string_view text) const {
  const int32_t id = pipeline_->spellings.find(text);
  return id < 0 ? std::nullopt : std::optional<int32_t>(id);
}

int64_t Tokenizer::vocab_size() const { return static_cast<int64_t>(pipeline_->vocabulary.size()); }

std::optional<int32_t> Tokenizer::bos_id() const { return pipeline_->roles.bos; }
std::optional<int32_t> Tokenizer::eos_id() const { return pipeline_->roles.eos; }
std::optional<int32_t> Tokenizer::padding_id() const { return pipeline_->roles.padding; }
std::optional<int32_t> Tokenizer::unknown_id() const { return pipeline_->roles.unknown; }

bool Tokenizer::is_special(int32_t id) const {
  return id >= 0 && id < vocab_size() && pipeline_->vocabulary[id].is_special;
}

std::span<const int32_t> Tokenizer::end_ids() const { return pipeline_->end_ids; }

}  // namespace anybit::model
