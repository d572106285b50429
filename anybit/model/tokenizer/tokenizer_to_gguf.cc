#include "anybit/model/tokenizer/tokenizer_to_gguf.h"

#include <algorithm>

#include "anybit/base/json.h"
#include "anybit/model/tokenizer/internal/gpt2_pattern.h"
#include "anybit/model/tokenizer/pre_tokenizer_table.h"

namespace anybit::model {
namespace {

constexpr std::string_view kMark = "\u2581";  // What stands for a space in a "llama" vocabulary.

const Json& member_or_null(const Json& object, std::string_view key) {
  static const Json null;
  if (!object.is_object()) return null;
  const auto found = object.find(key);
  return found == object.end() ? null : *found;
}

tl::unexpected<Error> unsupported(std::string_view name, std::string_view part,
                                  std::string_view found) {
  return fail(ErrorCode::kUnsupported, "{}: {}: GGUF has no word for {}", name, part, found);
}

// The components of a sequence, sequences within it opened up; none for null.
Status flatten(const Json& component, std::string_view list_key, std::string_view where,
               std::vector<const Json*>& steps) {
  if (component.is_null()) return {};
  ANYBIT_ASSIGN(const std::string type, json_member<std::string>(component, "type", where));
  if (type != "Sequence") {
    steps.push_back(&component);
    return {};
  }
  for (const Json& element : member_or_null(component, list_key)) {
    ANYBIT_TRY(flatten(element, list_key, where, steps));
  }
  return {};
}

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at)) {
    text.replace(at, from.size(), to);
    at += to.size();
  }
}

// One spelling for patterns that match the same: files list contractions one by one.
std::string canonical(std::string_view pattern) {
  constexpr struct {
    std::string_view listed, folded;
  } kSpellings[] = {
      {"(?i:'s|'t|'re|'ve|'m|'ll|'d)?", "(?:'(?i:[sdmt]|ll|ve|re))?"},
      {"(?i:'s|'t|'re|'ve|'m|'ll|'d)", "'(?i:[sdmt]|ll|ve|re)"},
      {"'s|'t|'re|'ve|'m|'ll|'d", "'(?:[sdmt]|ll|ve|re)"},
  };
  std::string text(pattern);
  for (const auto& spelling : kSpellings) replace_all(text, spelling.listed, spelling.folded);
  return text;
}

// Reads one file.
class Converter {
 public:
  Converter(const Json& root, std::string_view name, const Tokenizer& loaded)
      : root_(root), model_(member_or_null(root, "model")), name_(name), loaded_(loaded) {}

  Result<TokenizerData> convert(int64_t vocab_size);

 private:
  Status fill_vocabulary(int64_t vocab_size);
  Status read_added_tokens();
  Status read_byte_level();
  Status read_scored();
  Status read_scored_steps(bool& replaces_spaces, bool& adds_space);
  Status read_pattern(const Json& step, std::vector<std::string>& patterns);
  Status choose_pre_tokenizer(const std::vector<std::string>& patterns);
  Status read_merges(std::vector<std::pair<std::string, std::string>>& merges) const;
  Status read_roles();
  void set_type(int64_t id, TokenType type);

  const Json& root_;
  const Json& model_;
  std::string_view name_;
  const Tokenizer& loaded_;
  std::vector<const Json*> normalizers_, pre_tokenizers_;
  TokenizerData data_;
};

void Converter::set_type(int64_t id, TokenType type) {
  if (id < 0 || id >= std::ssize(data_.token_types)) return;
  data_.token_types[static_cast<size_t>(id)] = static_cast<int32_t>(type);
}

Status Converter::fill_vocabulary(int64_t vocab_size) {
  const Json& vocab = member_or_null(model_, "vocab");
  for (int64_t id = vocab_size; id < loaded_.vocab_size(); ++id) {
    const std::string_view text = loaded_.token_text(static_cast<int32_t>(id));
    if (!vocab.is_object() || !vocab.contains(text)) continue;
    return fail(ErrorCode::kCorruptData,
                "{}: model.vocab: expected ids below the {} rows of the embedding, found {} of "
                "\"{}\"",
                name_, vocab_size, id, text);
  }
  data_.token_types.assign(static_cast<size_t>(vocab_size),
                           static_cast<int32_t>(TokenType::kNormal));
  for (int64_t id = 0; id < vocab_size; ++id) {
    std::string text(loaded_.token_text(static_cast<int32_t>(id)));
    if (text.empty()) {
      text = fmt::format("[PAD{}]", id);
      set_type(id, TokenType::kUnused);
    }
    data_.tokens.push_back(std::move(text));
  }
  return {};
}

Status Converter::read_added_tokens() {
  for (const Json& token : member_or_null(root_, "added_tokens")) {
    ANYBIT_ASSIGN(const int64_t id, json_member<int64_t>(token, "id", name_));
    ANYBIT_ASSIGN(const bool is_special, json_member_or<bool>(token, "special", false, name_));
    set_type(id, is_special ? TokenType::kControl : TokenType::kUserDefined);
  }
  return {};
}

// Merges are written "left right" or ["left", "right"].
Status Converter::read_merges(std::vector<std::pair<std::string, std::string>>& merges) const {
  for (const Json& merge : member_or_null(model_, "merges")) {
    if (merge.is_string()) {
      const auto text = merge.get<std::string>();
      const size_t space = text.find(' ', 1);
      if (space != std::string::npos) {
        merges.emplace_back(text.substr(0, space), text.substr(space + 1));
        continue;
      }
    } else if (merge.is_array() && merge.size() == 2 && merge[0].is_string() &&
               merge[1].is_string()) {
      merges.emplace_back(merge[0].get<std::string>(), merge[1].get<std::string>());
      continue;
    }
    return fail(ErrorCode::kCorruptData, "{}: model.merges[{}]: expected two tokens", name_,
                merges.size());
  }
  return {};
}

Status Converter::read_pattern(const Json& step, std::vector<std::string>& patterns) {
  ANYBIT_ASSIGN(const std::string type, json_member<std::string>(step, "type", name_));
  if (type == "ByteLevel") {
    ANYBIT_ASSIGN(const bool adds_space,
                  json_member_or<bool>(step, "add_prefix_space", true, name_));
    if (adds_space) return unsupported(name_, "pre_tokenizer", "ByteLevel with add_prefix_space");
    ANYBIT_ASSIGN(const bool splits, json_member_or<bool>(step, "use_regex", true, name_));
    if (splits) patterns.emplace_back(internal::kGpt2Pattern);
    return {};
  }
  if (type == "Digits") {
    ANYBIT_ASSIGN(const bool individual,
                  json_member_or<bool>(step, "individual_digits", false, name_));
    patterns.emplace_back(individual ? R"(\p{N})" : R"(\p{N}+)");
    return {};
  }
  if (type != "Split") return unsupported(name_, "pre_tokenizer", type);
  ANYBIT_ASSIGN(const std::string regex,
                json_member<std::string>(member_or_null(step, "pattern"), "Regex", name_));
  ANYBIT_ASSIGN(const std::string behavior, json_member<std::string>(step, "behavior", name_));
  ANYBIT_ASSIGN(const bool invert, json_member_or<bool>(step, "invert", false, name_));
  if (behavior != "Isolated" || invert) {
    return unsupported(
        name_, "pre_tokenizer",
        fmt::format("Split with behavior {}{}", behavior, invert ? ", inverted" : ""));
  }
  patterns.push_back(canonical(regex));
  return {};
}

Status Converter::choose_pre_tokenizer(const std::vector<std::string>& patterns) {
  ANYBIT_ASSIGN(const bool ignore_merges,
                json_member_or<bool>(model_, "ignore_merges", false, name_));
  for (const PreTokenizerRow& row : pre_tokenizer_table()) {
    if (row.ignore_merges != ignore_merges) continue;
    if (!std::ranges::equal(row.patterns, patterns, {}, canonical)) continue;
    data_.pre = row.name;
    return {};
  }
  std::string found;
  for (const std::string& pattern : patterns) found += fmt::format(" \"{}\"", pattern);
  return unsupported(name_, "pre_tokenizer",
                     fmt::format("the patterns{}{}", found,
                                 ignore_merges ? " with ignore_merges" : " without ignore_merges"));
}

Status Converter::read_byte_level() {
  data_.model = "gpt2";
  for (const Json* step : normalizers_) {
    ANYBIT_ASSIGN(const std::string type, json_member<std::string>(*step, "type", name_));
    if (type != "NFC") return unsupported(name_, "normalizer", type + " of a byte-level BPE");
  }
  std::vector<std::string> patterns;
  for (const Json* step : pre_tokenizers_) ANYBIT_TRY(read_pattern(*step, patterns));
  ANYBIT_TRY(choose_pre_tokenizer(patterns));
  std::vector<std::pair<std::string, std::string>> merges;
  ANYBIT_TRY(read_merges(merges));
  for (const auto& [left, right] : merges)
    data_.merges.push_back(fmt::format("{} {}", left, right));
  return {};
}

Status Converter::read_scored_steps(bool& replaces_spaces, bool& adds_space) {
  for (const Json* step : normalizers_) {
    ANYBIT_ASSIGN(const std::string type, json_member<std::string>(*step, "type", name_));
    if (type == "Prepend" && member_or_null(*step, "prepend") == kMark) {
      adds_space = true;
    } else if (type == "Replace" && member_or_null(*step, "content") == kMark &&
               member_or_null(member_or_null(*step, "pattern"), "String") == " ") {
      replaces_spaces = true;
    } else {
      return unsupported(name_, "normalizer", type + " of a BPE with byte fallback");
    }
  }
  for (const Json* step : pre_tokenizers_) {
    ANYBIT_ASSIGN(const std::string type, json_member<std::string>(*step, "type", name_));
    if (type == "Metaspace" && member_or_null(*step, "replacement") == kMark) {
      ANYBIT_ASSIGN(const std::string scheme,
                    json_member_or<std::string>(*step, "prepend_scheme", "always", name_));
      adds_space = adds_space || scheme != "never";
      replaces_spaces = true;
    } else if (type == "Split" && replaces_spaces &&
               member_or_null(member_or_null(*step, "pattern"), "String") == " ") {
      continue;  // No space is left to split at.
    } else {
      return unsupported(name_, "pre_tokenizer", type + " of a BPE with byte fallback");
    }
  }
  return {};
}

Status Converter::read_scored() {
  data_.model = "llama";
  data_.pre = "default";
  bool replaces_spaces = false, adds_space = false;
  ANYBIT_TRY(read_scored_steps(replaces_spaces, adds_space));
  if (!replaces_spaces) {
    return unsupported(name_, "normalizer", "a BPE with byte fallback that keeps spaces");
  }
  data_.add_space_prefix = adds_space;
  std::vector<std::pair<std::string, std::string>> merges;
  ANYBIT_TRY(read_merges(merges));
  const auto last = -static_cast<float>(merges.size());
  data_.scores.assign(data_.tokens.size(), last);
  for (size_t rank = merges.size(); rank-- > 0;) {
    const std::optional<int32_t> id = loaded_.token_id(merges[rank].first + merges[rank].second);
    if (!id || *id >= std::ssize(data_.scores)) continue;
    data_.scores[static_cast<size_t>(*id)] = -static_cast<float>(rank);
  }
  for (int byte = 0; byte < 256; ++byte) {
    if (const auto id = loaded_.token_id(fmt::format("<0x{:02X}>", byte))) {
      set_type(*id, TokenType::kByte);
    }
  }
  ANYBIT_ASSIGN(const std::string unknown,
                json_member_or<std::string>(model_, "unk_token", "", name_));
  if (const auto id = loaded_.token_id(unknown); id && !unknown.empty()) {
    set_type(*id, TokenType::kUnknown);
    data_.unknown_id = *id;
  }
  return {};
}

// What encode() adds around a text must be one beginning and one end, or nothing.
Status Converter::read_roles() {
  data_.bos_id = loaded_.bos_id();
  data_.eos_id = loaded_.eos_id();
  data_.padding_id = loaded_.padding_id();
  if (!data_.unknown_id) data_.unknown_id = loaded_.unknown_id();
  ANYBIT_ASSIGN(const std::vector<int32_t> bare, loaded_.encode("a", {.add_special = false}));
  ANYBIT_ASSIGN(const std::vector<int32_t> whole, loaded_.encode("a"));
  const auto text = std::search(whole.begin(), whole.end(), bare.begin(), bare.end());
  const auto num_before = text - whole.begin();
  const auto num_after = std::ssize(whole) - num_before - std::ssize(bare);
  if (num_before > 1 || num_after > 1 || num_after < 0) {
    return unsupported(
        name_, "post_processor",
        fmt::format("{} tokens before a text and {} after it", num_before, num_after));
  }
  data_.add_bos = num_before == 1;
  data_.add_eos = num_after == 1;
  if (num_before == 1 && data_.bos_id.value_or(whole.front()) != whole.front()) {
    return unsupported(name_, "post_processor", "a first token that is not bos_token");
  }
  if (num_after == 1 && data_.eos_id.value_or(whole.back()) != whole.back()) {
    return unsupported(name_, "post_processor", "a last token that is not eos_token");
  }
  if (num_before == 1) data_.bos_id = whole.front();
  if (num_after == 1) data_.eos_id = whole.back();
  return {};
}

Result<TokenizerData> Converter::convert(int64_t vocab_size) {
  ANYBIT_ASSIGN(const std::string type, json_member<std::string>(model_, "type", name_));
  if (type != "BPE") return unsupported(name_, "model", type);
  ANYBIT_TRY(flatten(member_or_null(root_, "normalizer"), "normalizers", name_, normalizers_));
  ANYBIT_TRY(
      flatten(member_or_null(root_, "pre_tokenizer"), "pretokenizers", name_, pre_tokenizers_));
  ANYBIT_TRY(fill_vocabulary(vocab_size));
  ANYBIT_TRY(read_added_tokens());
  ANYBIT_ASSIGN(const bool byte_fallback,
                json_member_or<bool>(model_, "byte_fallback", false, name_));
  const bool is_byte_level = std::ranges::any_of(pre_tokenizers_, [](const Json* step) {
    return member_or_null(*step, "type") == "ByteLevel";
  });
  if (is_byte_level == byte_fallback) {
    return unsupported(name_, "model", "a BPE that is neither byte-level nor of byte fallback");
  }
  ANYBIT_TRY(is_byte_level ? read_byte_level() : read_scored());
  ANYBIT_TRY(read_roles());
  return std::move(data_);
}

void set_id(std::string_view role, const std::optional<int64_t>& id,
            tensor::GgufMetadata& metadata) {
  if (!id) return;
  metadata.set_uint32(fmt::format("tokenizer.ggml.{}_token_id", role), static_cast<uint32_t>(*id));
}

}  // namespace

Result<TokenizerData> tokenizer_data_from_json(std::string_view json, std::string_view name,
                                               const Tokenizer& loaded, int64_t vocab_size) {
  ANYBIT_ASSIGN(const Json root, parse_json(json, name));
  return Converter(root, name, loaded).convert(vocab_size);
}

void write_tokenizer_data(const TokenizerData& data, const std::string& chat_template,
                          tensor::GgufMetadata& metadata) {
  metadata.set_string("tokenizer.ggml.model", data.model);
  if (!data.pre.empty()) metadata.set_string("tokenizer.ggml.pre", data.pre);
  metadata.set_strings("tokenizer.ggml.tokens", data.tokens);
  if (!data.scores.empty()) metadata.set_float32s("tokenizer.ggml.scores", data.scores);
  if (!data.token_types.empty()) {
    metadata.set_int32s("tokenizer.ggml.token_type", data.token_types);
  }
  if (data.model == "gpt2") metadata.set_strings("tokenizer.ggml.merges", data.merges);
  set_id("bos", data.bos_id, metadata);
  set_id("eos", data.eos_id, metadata);
  set_id("unknown", data.unknown_id, metadata);
  set_id("padding", data.padding_id, metadata);
  if (data.add_bos) metadata.set_bool("tokenizer.ggml.add_bos_token", *data.add_bos);
  if (data.add_eos) metadata.set_bool("tokenizer.ggml.add_eos_token", *data.add_eos);
  if (data.add_space_prefix) {
    metadata.set_bool("tokenizer.ggml.add_space_prefix", *data.add_space_prefix);
  }
  if (data.collapse_spaces) {
    metadata.set_bool("tokenizer.ggml.remove_extra_whitespaces", *data.collapse_spaces);
  }
  if (!chat_template.empty()) metadata.set_string("tokenizer.chat_template", chat_template);
}

}  // namespace anybit::model
