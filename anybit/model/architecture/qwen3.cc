// Qwen 3: Llama with RMSNorm of every query and key head.
#include "anybit/model/architecture/internal/families.h"

namespace anybit::model::internal {
namespace {

constexpr std::string_view kModelTypes[] = {"qwen3"};
constexpr std::string_view kGgufArchitectures[] = {"qwen3"};

Result<ModelConfig> parse_qwen3_json(std::string_view config_json, std::string_view file_name) {
  ANYBIT_ASSIGN(const Json object, parse_config_object(config_json, file_name));
  ANYBIT_ASSIGN(ModelConfig config,
                read_json(object, file_name, {.head_dim = 128, .max_positions = 32768}));
  config.has_qk_norm = true;
  ANYBIT_ASSIGN(const bool has_attention_bias,
                json_member_or<bool>(object, "attention_bias", false, file_name));
  config.has_qkv_bias = config.has_attention_output_bias = has_attention_bias;
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

Result<ModelConfig> parse_qwen3_gguf(const tensor::GgufMetadata& metadata,
                                     std::string_view file_name) {
  ANYBIT_ASSIGN(ModelConfig config, read_gguf(metadata, file_name, kernel::RopePairing::kHalves));
  config.has_qk_norm = true;
  return config;
}

}  // namespace

Architecture qwen3_architecture() {
  return {"qwen3",
          "Qwen 3, dense",
          kModelTypes,
          kGgufArchitectures,
          folder_names_of_llama(),
          gguf_names_of_llama(),
          parse_qwen3_json,
          parse_qwen3_gguf};
}

}  // namespace anybit::model::internal
