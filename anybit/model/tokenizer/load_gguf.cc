#include <algorithm>
#include <cctype>
#include <cmath>

#include "anybit/model/tokenizer/internal/byte_alphabet.h"
#include "anybit/model/tokenizer/internal/pipeline.h"
#include "anybit/model/tokenizer/pre_tokenizer_table.h"
#include "anybit/model/tokenizer/tokenizer.h"

namespace anybit::model {
namespace {

using internal::Pipeline;

constexpr std::string_view kTokens = "tokenizer.ggml.tokens";
constexpr std::string_view kScores = "tokenizer.ggml.scores";
constexpr std::string_view kTokenTypes = "tokenizer.ggml.token_type";
constexpr std::string_view kMerges = "tokenizer.ggml.merges";

TokenType type_of(const TokenizerData& data, size_t id) {
  return data.token_types.empty() ? TokenType::kNormal
                                  : static_cast<TokenType>(data.token_types[id]);
}

Status check_size(std::string_view name, std::string_view key, size_t found, size_t expected) {
  if (found == expected) return {};
  return fail(ErrorCode::kCorruptData, "{}: {}: expected {} entries, one a token, found {}", name,
              key, expected, found);
}

Status check_arrays(const TokenizerData& data, std::string_view name) {
  const size_t vocab_size = data.tokens.size();
  if (vocab_size == 0 || static_cast<int64_t>(vocab_size) > internal::kMaxVocabSize) {
    return fail(ErrorCode::kCorruptData, "{}: {}: expected 1 to {} tokens, found {}", name, kTokens,
                internal::kMaxVocabSize, vocab_size);
  }
  if (!data.token_types.empty()) {
    ANYBIT_TRY(check_size(name, kTokenTypes, data.token_types.size(), vocab_size));
  }
  if (!data.scores.empty()) ANYBIT_TRY(check_size(name, kScores, data.scores.size(), vocab_size));
  for (size_t id = 0; id < data.scores.size(); ++id) {
    if (!std::isnan(data.scores[id])) continue;
    return fail(ErrorCode::kCorruptData, "{}: {}[{}]: expected a number, found NaN", name, kScores,
                id);
  }
  return {};
}

Status read_role(std::optional<int64_t> id, std::string_view key, const Pipeline& pipeline,
                 std::optional<int32_t>& role) {
  if (!id) return {};
  const auto vocab_size = static_cast<int64_t>(pipeline.vocabulary.size());
  if (*id < 0 || *id >= vocab_size) {
    return fail(ErrorCode::kCorruptData, "{}: tokenizer.ggml.{}: expected an id below {}, found {}",
                pipeline.name, key, vocab_size, *id);
  }
  role = static_cast<int32_t>(*id);
  return {};
}

Status read_roles(const TokenizerData& data, Pipeline& pipeline) {
  internal::RoleIds& roles = pipeline.roles;
  ANYBIT_TRY(read_role(data.bos_id, "bos_token_id", pipeline, roles.bos));
  ANYBIT_TRY(read_role(data.eos_id, "eos_token_id", pipeline, roles.eos));
  ANYBIT_TRY(read_role(data.unknown_id, "unknown_token_id", pipeline, roles.unknown));
  return read_role(data.padding_id, "padding_token_id", pipeline, roles.padding);
}

// Phi-3's files do not record that its special tokens swallow the white space after them.
bool strips_after_special(const TokenizerData& data, std::string_view token) {
  std::string model_name = data.model_name;
  std::transform(model_name.begin(), model_name.end(), model_name.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  const bool is_phi3 =
      model_name.find("phi-3") != std::string::npos || model_name.find("phi3") != std::string::npos;
  return is_phi3 && token != "<unk>" && token != "<s>" && token != "<|endoftext|>";
}

Status fill_vocabulary(const TokenizerData& data, Pipeline& pipeline) {
  pipeline.vocabulary.resize(data.tokens.size());
  for (size_t i = 0; i < data.tokens.size(); ++i) {
    const std::string& token = data.tokens[i];
    const auto id = static_cast<int32_t>(i);
    if (token.empty()) continue;
    if (const int32_t first = pipeline.spellings.find(token); first >= 0) {
      return fail(ErrorCode::kCorruptData,
                  "{}: {}[{}]: expected a token of its own, found \"{}\", which is also [{}]",
                  pipeline.name, kTokens, id, token, first);
    }
    pipeline.spellings.insert(token, id);
    internal::VocabularyEntry& entry = pipeline.vocabulary[i];
    entry.spelling = token;
    const TokenType type = type_of(data, i);
    entry.is_special = type == TokenType::kControl || type == TokenType::kUnknown;
    entry.is_verbatim = entry.is_special || type == TokenType::kUserDefined;
  }
  return {};
}

// A file may type the end of a turn as normal text; taken for text it would never end anything.
void mark_end_ids(Pipeline& pipeline) {
  internal::find_end_ids(pipeline);
  for (const int32_t id : pipeline.end_ids) {
    pipeline.vocabulary[id].is_special = true;
    pipeline.vocabulary[id].is_verbatim = true;
  }
}

void add_matched_tokens(const TokenizerData& data, Pipeline& pipeline) {
  for (size_t i = 0; i < pipeline.vocabulary.size(); ++i) {
    const internal::VocabularyEntry& entry = pipeline.vocabulary[i];
    if (!entry.is_verbatim || entry.spelling.empty()) continue;
    internal::AddedToken token;
    token.id = static_cast<int32_t>(i);
    token.special = entry.is_special;
    token.strip_right = strips_after_special(data, entry.spelling);
    pipeline.raw_tokens.add(entry.spelling, token);
  }
}

Result<internal::MergeTable> read_merges(const TokenizerData& data, const Pipeline& pipeline) {
  internal::MergeTable merges;
  std::string joined;
  for (size_t i = 0; i < data.merges.size(); ++i) {
    const std::string_view merge = data.merges[i];
    const size_t space = merge.find(' ', 1);
    if (space == std::string_view::npos) {
      return fail(ErrorCode::kCorruptData, "{}: {}[{}]: expected two tokens, found \"{}\"",
                  pipeline.name, kMerges, i, merge);
    }
    const std::string_view left = merge.substr(0, space);
    const std::string_view right = merge.substr(space + 1);
    joined.assign(left).append(right);
    const int32_t ids[3] = {pipeline.spellings.find(left), pipeline.spellings.find(right),
                            pipeline.spellings.find(joined)};
    const std::string_view parts[3] = {left, right, joined};
    for (int part = 0; part < 3; ++part) {
      if (ids[part] >= 0) continue;
      return fail(ErrorCode::kCorruptData, "{}: {}[{}]: expected tokens of {}, found \"{}\"",
                  pipeline.name, kMerges, i, kTokens, parts[part]);
    }
    merges.insert(ids[0], ids[1], {static_cast<int32_t>(i), ids[2]});
  }
  return merges;
}

Status build_byte_level(const TokenizerData& data, Pipeline& pipeline, bool& add_bos) {
  const std::string_view pre = data.pre.empty() ? std::string_view("default") : data.pre;
  const PreTokenizerRow* row = find_pre_tokenizer(pre);
  if (row == nullptr) {
    return fail(ErrorCode::kUnsupported,
                "{}: tokenizer.ggml.pre: the pre-tokenizer \"{}\" is not supported", pipeline.name,
                pre);
  }
  for (const std::string_view pattern : row->patterns) {
    ANYBIT_ASSIGN(internal::Regex regex, internal::Regex::compile(pattern, pre));
    pipeline.pre_tokenizers.emplace_back(
        internal::SplitStep{{{}, std::move(regex)}, internal::SplitBehavior::kIsolated, false});
  }
  internal::BpeOptions options;
  options.is_byte_level = true;
  options.ignore_merges = row->ignore_merges;
  ANYBIT_ASSIGN(internal::MergeTable merges, read_merges(data, pipeline));
  internal::TokenTable words;
  for (size_t id = 0; id < pipeline.vocabulary.size(); ++id) {
    const internal::VocabularyEntry& entry = pipeline.vocabulary[id];
    if (entry.is_verbatim || entry.spelling.empty()) continue;
    const std::optional<std::string> bytes = internal::alphabet_to_bytes(entry.spelling);
    if (bytes) words.insert(*bytes, static_cast<int32_t>(id));
  }
  pipeline.model.emplace(internal::BpeModel(options, pipeline.spellings, std::move(words),
                                            std::move(merges), internal::BpeModel::kNoUnknown,
                                            static_cast<int64_t>(pipeline.vocabulary.size()),
                                            internal::MetaspaceCuts()));
  pipeline.decoders.emplace_back(internal::ByteLevelDecodeStep{});
  add_bos = row->add_bos;
  return {};
}

Status build_scored(const TokenizerData& data, Pipeline& pipeline) {
  ANYBIT_TRY(check_size(pipeline.name, kScores, data.scores.size(), data.tokens.size()));
  internal::TokenTable words;
  std::vector<internal::ScoredPiece> pieces(data.tokens.size(), {-1, 0.0F, false});
  internal::MetaspaceCuts cuts;
  for (size_t i = 0; i < data.tokens.size(); ++i) {
    const internal::VocabularyEntry& entry = pipeline.vocabulary[i];
    const TokenType type = type_of(data, i);
    if (entry.spelling.empty() || entry.is_special || type == TokenType::kByte) continue;
    pieces[i] = {static_cast<int32_t>(i), data.scores[i], type == TokenType::kUnused};
    words.insert(entry.spelling, static_cast<int32_t>(i));
    cuts.add_piece(entry.spelling);
  }
  if (words.find(internal::kMetaspaceText) >= 0) cuts.enable();
  pipeline.model.emplace(internal::ScoreModel(std::move(words), std::move(pieces),
                                              internal::find_fallback_ids(pipeline.spellings),
                                              pipeline.roles.unknown.value_or(-1), cuts));
  const bool adds_space = data.add_space_prefix.value_or(true);
  const internal::Pattern space{" ", std::nullopt};
  const internal::Pattern mark{std::string(internal::kMetaspaceText), std::nullopt};
  if (data.collapse_spaces.value_or(false)) {
    pipeline.normalizers.emplace_back(internal::CollapseSpacesStep{});
  }
  if (adds_space) pipeline.normalizers.emplace_back(internal::PrependStep{" "});
  pipeline.normalizers.emplace_back(internal::ReplaceStep{space, mark.literal});
  pipeline.decoders.emplace_back(internal::ReplaceStep{mark, " "});
  pipeline.decoders.emplace_back(internal::ByteFallbackStep{});
  pipeline.decoders.emplace_back(internal::FuseStep{});
  if (adds_space) pipeline.decoders.emplace_back(internal::StripTokenStep{" ", 1, 0});
  return {};
}

Status add_role(bool wanted, std::optional<int32_t> id, std::string_view role,
                const Pipeline& pipeline, std::vector<int32_t>& ids) {
  if (!wanted) return {};
  if (!id) {
    return fail(ErrorCode::kCorruptData,
                "{}: tokenizer.ggml.{}_token_id: expected an id, as add_{}_token asks for it, "
                "found none",
                pipeline.name, role, role);
  }
  ids.push_back(*id);
  return {};
}

}  // namespace

Result<Tokenizer> Tokenizer::from_gguf_data(const TokenizerData& data, std::string_view name) {
  auto pipeline = std::make_unique<Pipeline>();
  pipeline->name = name;
  ANYBIT_TRY(check_arrays(data, name));
  ANYBIT_TRY(fill_vocabulary(data, *pipeline));
  ANYBIT_TRY(read_roles(data, *pipeline));
  mark_end_ids(*pipeline);
  bool add_bos = true;
  if (data.model == "gpt2") {
    ANYBIT_TRY(build_byte_level(data, *pipeline, add_bos));
  } else if (data.model == "llama") {
    ANYBIT_TRY(build_scored(data, *pipeline));
  } else {
    return fail(ErrorCode::kUnsupported,
                "{}: tokenizer.ggml.model: expected gpt2 or llama, found \"{}\"", name, data.model);
  }
  add_matched_tokens(data, *pipeline);
  ANYBIT_TRY(add_role(data.add_bos.value_or(add_bos && pipeline->roles.bos.has_value()),
                      pipeline->roles.bos, "bos", *pipeline, pipeline->prefix_ids));
  ANYBIT_TRY(add_role(data.add_eos.value_or(false), pipeline->roles.eos, "eos", *pipeline,
                      pipeline->suffix_ids));
  return Tokenizer(std::move(pipeline));
}

}  // namespace anybit::model
