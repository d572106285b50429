// Qwen 2 and 2.5: Llama with biases on queries, keys and values.
#include "anybit/model/architecture/internal/families.h"

namespace anybit::model::internal {
namespace {

constexpr std::string_view kModelTypes[] = {"qwen2"};
constexpr std::string_view kGgufArchitectures[] = {"qwen2"};

Result<ModelConfig> parse_qwen2_json(std::string_view config_json, std::string_view file_name) {
  ANYBIT_ASSIGN(const Json object, parse_config_object(config_json, file_name));
  ANYBIT_ASSIGN(ModelConfig config, read_json(object, file_name, {.max_positions = 32768}));
  config.has_qkv_bias = true;
  ANYBIT_ASSIGN(const bool has_layer_types, read_layer_types(object, file_name, config));
  ANYBIT_ASSIGN(const bool slides,
                json_member_or<bool>(object, "use_sliding_window", false, file_name));
  if (slides && !has_layer_types) {
    ANYBIT_ASSIGN(const int64_t first,
                  json_member_or<int64_t>(object, "max_window_layers", 28, file_name));
    ANYBIT_TRY(read_sliding_window(object, file_name, first, config));
  }
  return config;
}

Result<ModelConfig> parse_qwen2_gguf(const tensor::GgufMetadata& metadata,
                                     std::string_view file_name) {
  ANYBIT_ASSIGN(ModelConfig config, read_gguf(metadata, file_name, kernel::RopePairing::kHalves));
  config.has_qkv_bias = true;
  return config;
}

}  // namespace

Architecture qwen2_architecture() {
  return {"qwen2",
          "Qwen 2 and 2.5, dense",
          kModelTypes,
          kGgufArchitectures,
          folder_names_of_llama(),
          gguf_names_of_llama(),
          parse_qwen2_json,
          parse_qwen2_gguf};
}

}  // namespace anybit::model::internal
