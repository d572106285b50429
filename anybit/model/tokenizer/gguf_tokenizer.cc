#include "anybit/model/tokenizer/gguf_tokenizer.h"

namespace anybit::model {
namespace {

using tensor::GgufMetadata;

Result<std::optional<int64_t>> optional_int(const GgufMetadata& metadata, std::string_view key) {
  if (metadata.find(key) == nullptr) return std::nullopt;
  ANYBIT_ASSIGN(const int64_t value, metadata.get_int(key));
  return value;
}

Result<std::optional<bool>> optional_bool(const GgufMetadata& metadata, std::string_view key) {
  if (metadata.find(key) == nullptr) return std::nullopt;
  ANYBIT_ASSIGN(const bool value, metadata.get_bool(key));
  return value;
}

Result<std::vector<int32_t>> read_token_types(const GgufMetadata& metadata) {
  constexpr std::string_view kKey = "tokenizer.ggml.token_type";
  std::vector<int32_t> types;
  if (metadata.find(kKey) == nullptr) return types;
  ANYBIT_ASSIGN(const std::vector<int64_t> values, metadata.get_ints(kKey));
  types.reserve(values.size());
  for (size_t i = 0; i < values.size(); ++i) {
    if (values[i] < 0 || values[i] > static_cast<int64_t>(TokenType::kByte)) {
      return fail(ErrorCode::kCorruptData, "{}[{}]: expected a token type of 0 to 6, found {}",
                  kKey, i, values[i]);
    }
    types.push_back(static_cast<int32_t>(values[i]));
  }
  return types;
}

}  // namespace

Result<TokenizerData> read_tokenizer_data(const GgufMetadata& metadata) {
  TokenizerData data;
  ANYBIT_ASSIGN(data.model, metadata.get_string("tokenizer.ggml.model"));
  ANYBIT_ASSIGN(data.pre, metadata.get_string_or("tokenizer.ggml.pre", ""));
  ANYBIT_ASSIGN(data.tokens, metadata.get_strings("tokenizer.ggml.tokens"));
  if (metadata.find("tokenizer.ggml.scores") != nullptr) {
    ANYBIT_ASSIGN(data.scores, metadata.get_floats("tokenizer.ggml.scores"));
  }
  if (metadata.find("tokenizer.ggml.merges") != nullptr) {
    ANYBIT_ASSIGN(data.merges, metadata.get_strings("tokenizer.ggml.merges"));
  }
  ANYBIT_ASSIGN(data.token_types, read_token_types(metadata));
  ANYBIT_ASSIGN(data.bos_id, optional_int(metadata, "tokenizer.ggml.bos_token_id"));
  ANYBIT_ASSIGN(data.eos_id, optional_int(metadata, "tokenizer.ggml.eos_token_id"));
  ANYBIT_ASSIGN(data.unknown_id, optional_int(metadata, "tokenizer.ggml.unknown_token_id"));
  ANYBIT_ASSIGN(data.padding_id, optional_int(metadata, "tokenizer.ggml.padding_token_id"));
  ANYBIT_ASSIGN(data.add_bos, optional_bool(metadata, "tokenizer.ggml.add_bos_token"));
  ANYBIT_ASSIGN(data.add_eos, optional_bool(metadata, "tokenizer.ggml.add_eos_token"));
  ANYBIT_ASSIGN(data.add_space_prefix, optional_bool(metadata, "tokenizer.ggml.add_space_prefix"));
  ANYBIT_ASSIGN(data.collapse_spaces,
                optional_bool(metadata, "tokenizer.ggml.remove_extra_whitespaces"));
  ANYBIT_ASSIGN(data.model_name, metadata.get_string_or("general.name", ""));
  return data;
}

}  // namespace anybit::model
