// Llama 1 to 3.3 and what shares its config: SmolLM, SmolLM2, TinyLlama, ...; in GGUF also Mistral
// and Mixtral, which that format calls "llama".
#include "anybit/model/architecture/internal/families.h"

namespace anybit::model::internal {
namespace {

constexpr std::string_view kModelTypes[] = {"llama"};
constexpr std::string_view kGgufArchitectures[] = {"llama"};

Result<ModelConfig> parse_llama_json(std::string_view config_json, std::string_view file_name) {
  ANYBIT_ASSIGN(const Json object, parse_config_object(config_json, file_name));
  ANYBIT_ASSIGN(ModelConfig config, read_json(object, file_name, {}));
  ANYBIT_ASSIGN(const bool has_attention_bias,
                json_member_or<bool>(object, "attention_bias", false, file_name));
  config.has_qkv_bias = config.has_attention_output_bias = has_attention_bias;
  ANYBIT_ASSIGN(config.has_mlp_bias, json_member_or<bool>(object, "mlp_bias", false, file_name));
  return config;
}

/// The converter reorders query and key rows so that rope turns neighbouring elements.
Result<ModelConfig> parse_llama_gguf(const tensor::GgufMetadata& metadata,
                                     std::string_view file_name) {
  ANYBIT_ASSIGN(ModelConfig config,
                read_gguf(metadata, file_name, kernel::RopePairing::kInterleaved));
  ANYBIT_ASSIGN(config.num_experts, metadata.get_int_or("llama.expert_count", 0));
  ANYBIT_ASSIGN(config.num_experts_per_token, metadata.get_int_or("llama.expert_used_count", 0));
  ANYBIT_ASSIGN(config.sliding_window, metadata.get_int_or("llama.attention.sliding_window", 0));
  if (config.sliding_window > 0) {
    config.is_sliding_layer.assign(config.is_sliding_layer.size(), true);
  }
  return config;
}

}  // namespace

Architecture llama_architecture() {
  return {"llama",
          "Llama 2 and 3, SmolLM2, and others of that shape",
          kModelTypes,
          kGgufArchitectures,
          folder_names_of_llama(),
          gguf_names_of_llama(),
          parse_llama_json,
          parse_llama_gguf};
}

}  // namespace anybit::model::internal
