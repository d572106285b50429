// Gemma 3, the text model: norms before and after both halves of a layer, RMSNorm of query and key
// heads, GeGLU, five sliding layers to a global one with a rope base each, scaled embeddings.
// Source: Gemma Team 2025, "Gemma 3 technical report", section 2.
#include <cmath>

#include "anybit/model/architecture/internal/families.h"

namespace anybit::model::internal {
namespace {

constexpr std::string_view kModelTypes[] = {"gemma3_text", "gemma3"};
constexpr std::string_view kGgufArchitectures[] = {"gemma3"};
constexpr double kSlidingTheta = 10000;
constexpr int64_t kSlidingPattern = 6;  // Every sixth layer is global.
constexpr int64_t kLayersOf27b = 62;

void set_common(ModelConfig& config) {
  config.activation = kernel::Activation::kGeluTanh;
  config.has_qk_norm = true;
  config.has_post_norms = true;
  config.embedding_scale = static_cast<float>(std::sqrt(static_cast<double>(config.hidden_size)));
}

void mark_sliding(int64_t pattern, ModelConfig& config) {
  for (size_t layer = 0; layer < config.is_sliding_layer.size(); ++layer) {
    config.is_sliding_layer[layer] = (static_cast<int64_t>(layer) + 1) % pattern != 0;
  }
}

Status read_sliding_rope(const Json& object, std::string_view file_name, ModelConfig& config) {
  ANYBIT_ASSIGN(const double theta,
                json_member_or<double>(object, "rope_local_base_freq", kSlidingTheta, file_name));
  const auto by_type = object.find("rope_parameters");
  Json own;
  if (by_type != object.end() && by_type->is_object() && by_type->contains("sliding_attention")) {
    own = by_type->at("sliding_attention");
  }
  ANYBIT_ASSIGN(config.sliding_rope, read_rope(object, own, theta, config, file_name));
  return {};
}

Status read_scales(const Json& object, std::string_view file_name, ModelConfig& config) {
  ANYBIT_ASSIGN(const double scalar,
                json_member_or<double>(object, "query_pre_attn_scalar", 256, file_name));
  config.attention_scale = static_cast<float>(1 / std::sqrt(scalar));
  ANYBIT_ASSIGN(const double attention_cap,
                json_member_or<double>(object, "attn_logit_softcapping", 0, file_name));
  config.attention_soft_cap = static_cast<float>(attention_cap);
  ANYBIT_ASSIGN(const double final_cap,
                json_member_or<double>(object, "final_logit_softcapping", 0, file_name));
  config.final_soft_cap = static_cast<float>(final_cap);
  return {};
}

Result<ModelConfig> parse_gemma3_json(std::string_view config_json, std::string_view file_name) {
  ANYBIT_ASSIGN(const Json whole, parse_config_object(config_json, file_name));
  // A checkpoint with a vision tower keeps the text model's fields apart.
  const bool is_text_part = whole.contains("text_config") && whole["text_config"].is_object();
  const Json& object = is_text_part ? whole["text_config"] : whole;
  ANYBIT_ASSIGN(ModelConfig config, read_json(object, file_name,
                                              {.hidden_size = 2304,
                                               .intermediate_size = 9216,
                                               .num_layers = 26,
                                               .num_q_heads = 8,
                                               .num_kv_heads = 4,
                                               .head_dim = 256,
                                               .vocab_size = 262208,
                                               .max_positions = 131072,
                                               .rope_theta = 1e6,
                                               .has_tied_embeddings = true,
                                               .activation_key = "hidden_activation",
                                               .activation = "gelu_pytorch_tanh"}));
  const kernel::Activation activation = config.activation;
  set_common(config);
  config.activation = activation;
  config.norm_adds_one = true;
  ANYBIT_ASSIGN(const bool has_bias,
                json_member_or<bool>(object, "attention_bias", false, file_name));
  config.has_qkv_bias = config.has_attention_output_bias = has_bias;
  ANYBIT_TRY(read_scales(object, file_name, config));
  ANYBIT_TRY(read_sliding_rope(object, file_name, config));
  ANYBIT_ASSIGN(const bool has_layer_types, read_layer_types(object, file_name, config));
  ANYBIT_ASSIGN(config.sliding_window,
                json_member_or<int64_t>(object, "sliding_window", 4096, file_name));
  if (!has_layer_types) {
    const char* key = object.contains("sliding_window_pattern") ? "sliding_window_pattern"
                                                                : "_sliding_window_pattern";
    ANYBIT_ASSIGN(const int64_t pattern,
                  json_member_or<int64_t>(object, key, kSlidingPattern, file_name));
    if (pattern < 1) {
      return fail(ErrorCode::kCorruptData, "{}: {} must be positive, found {}", file_name, key,
                  pattern);
    }
    mark_sliding(pattern, config);
  }
  return config;
}

/// The converter has added one to the norm weights. It leaves the pattern, the sliding layers' rope
/// base and the largest model's query scale to the reader.
Result<ModelConfig> parse_gemma3_gguf(const tensor::GgufMetadata& metadata,
                                      std::string_view file_name) {
  ANYBIT_ASSIGN(ModelConfig config, read_gguf(metadata, file_name, kernel::RopePairing::kHalves));
  set_common(config);
  if (config.num_layers == kLayersOf27b) {
    config.attention_scale =
        static_cast<float>(1 / std::sqrt(static_cast<double>(config.hidden_size) /
                                         static_cast<double>(config.num_q_heads)));
  }
  ANYBIT_ASSIGN(const double final_cap, metadata.get_float_or("gemma3.final_logit_softcapping", 0));
  config.final_soft_cap = static_cast<float>(final_cap);
  ANYBIT_ASSIGN(config.sliding_window, metadata.get_int_or("gemma3.attention.sliding_window", 0));
  if (config.sliding_window > 0) mark_sliding(kSlidingPattern, config);
  kernel::RopeParameters sliding;
  sliding.pairing = config.rope.pairing;
  sliding.rotary_dim = config.rope.rotary_dim;
  ANYBIT_ASSIGN(sliding.theta, metadata.get_float_or("gemma3.rope.freq_base_swa", kSlidingTheta));
  config.sliding_rope = sliding;
  return config;
}

}  // namespace

Architecture gemma3_architecture() {
  return {
      "gemma3",
      "Gemma 3, text",
      kModelTypes,
      kGgufArchitectures,
      with_names(
          folder_names_of_llama(),
          {
              {TensorRole::kPostAttentionNorm, "model.layers.{L}.post_attention_layernorm.weight"},
              {TensorRole::kMlpNorm, "model.layers.{L}.pre_feedforward_layernorm.weight"},
              {TensorRole::kPostMlpNorm, "model.layers.{L}.post_feedforward_layernorm.weight"},
          }),
      with_names(gguf_names_of_llama(),
                 {
                     {TensorRole::kPostAttentionNorm, "blk.{L}.post_attention_norm.weight"},
                     {TensorRole::kPostMlpNorm, "blk.{L}.post_ffw_norm.weight"},
                 }),
      parse_gemma3_json,
      parse_gemma3_gguf};
}

}  // namespace anybit::model::internal
