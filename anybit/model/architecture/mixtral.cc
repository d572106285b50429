// Mixtral: Mistral with a mixture of experts in place of the feed-forward layer.
// Source: Jiang et al. 2024, "Mixtral of Experts", section 2.
#include "anybit/model/architecture/internal/families.h"

namespace anybit::model::internal {
namespace {

constexpr std::string_view kModelTypes[] = {"mixtral"};

Result<ModelConfig> parse_mixtral_json(std::string_view config_json, std::string_view file_name) {
  ANYBIT_ASSIGN(const Json object, parse_config_object(config_json, file_name));
  ANYBIT_ASSIGN(
      ModelConfig config,
      read_json(object, file_name,
                {.num_kv_heads = 8, .max_positions = 131072, .norm_eps = 1e-5, .rope_theta = 1e6}));
  ANYBIT_ASSIGN(config.num_experts,
                json_member_or<int64_t>(object, "num_local_experts", 8, file_name));
  ANYBIT_ASSIGN(config.num_experts_per_token,
                json_member_or<int64_t>(object, "num_experts_per_tok", 2, file_name));
  if (config.num_experts < 1) {
    return fail(ErrorCode::kCorruptData, "{}: num_local_experts must be positive, found {}",
                file_name, config.num_experts);
  }
  ANYBIT_TRY(read_sliding_window(object, file_name, 0, config));
  return config;
}

Result<ModelConfig> parse_mixtral_gguf(const tensor::GgufMetadata&, std::string_view file_name) {
  return fail(ErrorCode::kUnsupported, "{}: GGUF files of this family say \"llama\"", file_name);
}

}  // namespace

Architecture mixtral_architecture() {
  return {
      "mixtral",
      "Mixtral: sparse mixture of experts",
      kModelTypes,
      {},
      with_names(folder_names_of_llama(),
                 {
                     {TensorRole::kRouter, "model.layers.{L}.block_sparse_moe.gate.weight"},
                     {TensorRole::kGate, "model.layers.{L}.block_sparse_moe.experts.{E}.w1.weight"},
                     {TensorRole::kUp, "model.layers.{L}.block_sparse_moe.experts.{E}.w3.weight"},
                     {TensorRole::kDown, "model.layers.{L}.block_sparse_moe.experts.{E}.w2.weight"},
                 }),
      gguf_names_of_llama(),
      parse_mixtral_json,
      parse_mixtral_gguf};
}

}  // namespace anybit::model::internal
