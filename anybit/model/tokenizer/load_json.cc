#include <algorithm>

#include "anybit/base/file.h"
#include "anybit/base/json.h"
#include "anybit/model/tokenizer/internal/json_components.h"
#include "anybit/model/tokenizer/tokenizer.h"

namespace anybit::model {
namespace {

using internal::AddedToken;
using internal::Pipeline;

const Json& member_or_null(const Json& object, std::string_view key) {
  static const Json null;
  const auto found = object.find(key);
  return found == object.end() ? null : *found;
}

// Byte-level text must reach the model as the characters of the byte alphabet, written once and
// changed by nothing after.
Status settle_byte_level(const std::string& name, Pipeline& pipeline, bool& is_byte_level) {
  const auto is_alphabet = [](const internal::NormalizerStep& step) {
    return std::holds_alternative<internal::ByteAlphabetStep>(step);
  };
  const auto num_normalizers =
      std::count_if(pipeline.normalizers.begin(), pipeline.normalizers.end(), is_alphabet);
  if (num_normalizers > 0 && !is_alphabet(pipeline.normalizers.back())) {
    return fail(ErrorCode::kUnsupported,
                "{}: normalizer: a normalizer after ByteLevel is not supported", name);
  }
  int64_t num_steps = num_normalizers;
  bool has_metaspace = false;
  for (size_t i = 0; i < pipeline.pre_tokenizers.size(); ++i) {
    internal::PreTokenizerStep& step = pipeline.pre_tokenizers[i];
    has_metaspace = has_metaspace || std::holds_alternative<internal::MetaspaceStep>(step);
    auto* byte_level = std::get_if<internal::ByteLevelStep>(&step);
    if (byte_level == nullptr) continue;
    ++num_steps;
    byte_level->spell_out = i + 1 < pipeline.pre_tokenizers.size();
    pipeline.pieces_are_spelled = byte_level->spell_out;
  }
  is_byte_level = num_steps > 0;
  pipeline.pieces_are_spelled = pipeline.pieces_are_spelled || num_normalizers > 0;
  if (num_steps > 1 || (is_byte_level && has_metaspace)) {
    return fail(ErrorCode::kUnsupported, "{}: pre_tokenizer: ByteLevel {} is not supported", name,
                num_steps > 1 ? "applied twice" : "together with Metaspace");
  }
  return {};
}

Result<AddedToken> read_added_token(const Json& json, std::string_view where) {
  AddedToken token;
  ANYBIT_ASSIGN(const int64_t id, json_member<int64_t>(json, "id", where));
  if (id < 0 || id >= internal::kMaxVocabSize) {
    return fail(ErrorCode::kCorruptData, "{}: \"id\": expected an id below {}, found {}", where,
                internal::kMaxVocabSize, id);
  }
  token.id = static_cast<int32_t>(id);
  ANYBIT_ASSIGN(token.content, json_member<std::string>(json, "content", where));
  ANYBIT_ASSIGN(token.single_word, json_member_or<bool>(json, "single_word", false, where));
  ANYBIT_ASSIGN(token.strip_left, json_member_or<bool>(json, "lstrip", false, where));
  ANYBIT_ASSIGN(token.strip_right, json_member_or<bool>(json, "rstrip", false, where));
  ANYBIT_ASSIGN(token.special, json_member_or<bool>(json, "special", false, where));
  ANYBIT_ASSIGN(token.normalized, json_member_or<bool>(json, "normalized", !token.special, where));
  return token;
}

// A token that the vocabulary has keeps its id; another gets the id the file gives it, which must
// be free.
Status place_added_token(const AddedToken& token, std::string_view where, Pipeline& pipeline) {
  const int32_t known = pipeline.spellings.find(token.content);
  if (known >= 0 && known != token.id) {
    return fail(ErrorCode::kCorruptData,
                "{}: \"id\": expected {}, the id of \"{}\" in the vocabulary, found {}", where,
                known, token.content, token.id);
  }
  const auto index = static_cast<size_t>(token.id);
  if (pipeline.vocabulary.size() <= index) pipeline.vocabulary.resize(index + 1);
  internal::VocabularyEntry& entry = pipeline.vocabulary[index];
  if (known < 0 && !entry.spelling.empty()) {
    return fail(ErrorCode::kCorruptData,
                "{}: \"id\": expected an unused id for \"{}\", found {}, which is \"{}\"", where,
                token.content, token.id, entry.spelling);
  }
  entry.spelling = token.content;
  entry.is_special = entry.is_special || token.special;
  pipeline.spellings.insert(token.content, token.id);
  return {};
}

Status read_added_tokens(const Json& root, const std::string& name, Pipeline& pipeline) {
  if (member_or_null(root, "added_tokens").is_null()) return {};
  internal::RegexScratch scratch;
  return internal::for_each_component(
      root, "added_tokens", name, [&](const Json& json, std::string_view where) -> Status {
        ANYBIT_ASSIGN(const AddedToken token, read_added_token(json, where));
        if (token.content.empty()) return {};
        ANYBIT_TRY(place_added_token(token, where, pipeline));
        if (!token.normalized) {
          pipeline.raw_tokens.add(token.content, token);
          return {};
        }
        ANYBIT_ASSIGN(const internal::NormalizedText pattern,
                      internal::normalize(pipeline.normalizers, token.content, true, scratch));
        if (!pattern.text.empty()) pipeline.normalized_tokens.add(pattern.text, token);
        pipeline.vocabulary[token.id].normalized = pattern.text;
        return {};
      });
}

Status find_role(std::string_view token, std::string_view role, const Pipeline& pipeline,
                 std::optional<int32_t>& id) {
  if (token.empty()) return {};
  const int32_t found = pipeline.spellings.find(token);
  if (found < 0) {
    return fail(ErrorCode::kCorruptData,
                "{}: {} token: expected a token of the vocabulary, found \"{}\"", pipeline.name,
                role, token);
  }
  id = found;
  return {};
}

Status apply_special_tokens(const SpecialTokens& special, Pipeline& pipeline) {
  internal::RoleIds& roles = pipeline.roles;
  ANYBIT_TRY(find_role(special.bos, "bos", pipeline, roles.bos));
  ANYBIT_TRY(find_role(special.eos, "eos", pipeline, roles.eos));
  ANYBIT_TRY(find_role(special.padding, "pad", pipeline, roles.padding));
  ANYBIT_TRY(find_role(special.unknown, "unk", pipeline, roles.unknown));
  if (special.add_bos || special.add_eos) {
    pipeline.prefix_ids.clear();
    pipeline.suffix_ids.clear();
    if (special.add_bos.value_or(false) && roles.bos) pipeline.prefix_ids.push_back(*roles.bos);
    if (special.add_eos.value_or(false) && roles.eos) pipeline.suffix_ids.push_back(*roles.eos);
  }
  return {};
}

// A role is a string, or an object with the string "content".
Result<std::string> read_role(const Json& config, std::string_view key, std::string_view where) {
  const Json& role = member_or_null(config, key);
  if (role.is_object()) return json_member<std::string>(role, "content", where);
  return json_member_or<std::string>(config, key, "", where);
}

Result<std::optional<bool>> read_flag(const Json& config, std::string_view key,
                                      std::string_view where) {
  if (member_or_null(config, key).is_null()) return std::nullopt;
  ANYBIT_ASSIGN(const bool flag, json_member<bool>(config, key, where));
  return flag;
}

Result<SpecialTokens> read_special_tokens(std::string_view text, const std::string& where) {
  ANYBIT_ASSIGN(const Json config, parse_json(text, where));
  if (!config.is_object()) {
    return fail(ErrorCode::kCorruptData, "{}: expected an object, found {}", where,
                config.type_name());
  }
  SpecialTokens special;
  ANYBIT_ASSIGN(special.bos, read_role(config, "bos_token", where));
  ANYBIT_ASSIGN(special.eos, read_role(config, "eos_token", where));
  ANYBIT_ASSIGN(special.padding, read_role(config, "pad_token", where));
  ANYBIT_ASSIGN(special.unknown, read_role(config, "unk_token", where));
  ANYBIT_ASSIGN(special.add_bos, read_flag(config, "add_bos_token", where));
  ANYBIT_ASSIGN(special.add_eos, read_flag(config, "add_eos_token", where));
  return special;
}

Status read_pipeline(const Json& root, const std::string& name, Pipeline& pipeline) {
  ANYBIT_TRY(internal::read_normalizer(member_or_null(root, "normalizer"), name + ": normalizer",
                                       pipeline.normalizers));
  ANYBIT_TRY(internal::read_pre_tokenizer(member_or_null(root, "pre_tokenizer"),
                                          name + ": pre_tokenizer", pipeline.pre_tokenizers));
  bool is_byte_level = false;
  ANYBIT_TRY(settle_byte_level(name, pipeline, is_byte_level));
  ANYBIT_TRY(internal::read_model(member_or_null(root, "model"), name + ": model", is_byte_level,
                                  pipeline));
  ANYBIT_TRY(read_added_tokens(root, name, pipeline));
  ANYBIT_TRY(internal::read_post_processor(member_or_null(root, "post_processor"),
                                           name + ": post_processor", pipeline));
  const Json& decoder = member_or_null(root, "decoder");
  pipeline.joins_with_spaces = decoder.is_null();
  if (!decoder.is_null()) {
    ANYBIT_TRY(internal::read_decoder(decoder, name + ": decoder", pipeline.decoders));
  }
  return {};
}

}  // namespace

Result<Tokenizer> Tokenizer::load_json(std::string_view json, std::string_view name,
                                       const SpecialTokens& special) {
  ANYBIT_ASSIGN(const Json root, parse_json(json, name));
  if (!root.is_object()) {
    return fail(ErrorCode::kCorruptData, "{}: expected an object, found {}", name,
                root.type_name());
  }
  auto pipeline = std::make_unique<Pipeline>();
  pipeline->name = name;
  ANYBIT_ASSIGN(const std::string version,
                json_member_or<std::string>(root, "version", "1.0", name));
  if (version != "1.0") {
    return fail(ErrorCode::kUnsupported, "{}: \"version\": expected 1.0, found \"{}\"", name,
                version);
  }
  ANYBIT_TRY(read_pipeline(root, pipeline->name, *pipeline));
  ANYBIT_TRY(apply_special_tokens(special, *pipeline));
  internal::find_end_ids(*pipeline);
  return Tokenizer(std::move(pipeline));
}

Result<Tokenizer> Tokenizer::load_folder(const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / "tokenizer.json";
  ANYBIT_ASSIGN(const std::string json, read_text_file(path));
  const std::filesystem::path config_path = folder / "tokenizer_config.json";
  SpecialTokens special;
  std::error_code ignored;
  if (std::filesystem::exists(config_path, ignored)) {
    ANYBIT_ASSIGN(const std::string config, read_text_file(config_path));
    ANYBIT_ASSIGN(special, read_special_tokens(config, config_path.string()));
  }
  return load_json(json, path.string(), special);
}

}  // namespace anybit::model
