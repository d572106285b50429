// Tensor names of the Llama family, which the others vary.
#include "anybit/model/architecture/internal/families.h"

namespace anybit::model::internal {

TensorNames with_names(TensorNames names,
                       std::initializer_list<std::pair<TensorRole, std::string_view>> changes) {
  for (const auto& [role, pattern] : changes) names[static_cast<size_t>(role)] = pattern;
  return names;
}

TensorNames folder_names_of_llama() {
  return with_names(
      {}, {
              {TensorRole::kEmbedding, "model.embed_tokens.weight"},
              {TensorRole::kOutputNorm, "model.norm.weight"},
              {TensorRole::kOutput, "lm_head.weight"},
              {TensorRole::kAttentionNorm, "model.layers.{L}.input_layernorm.weight"},
              {TensorRole::kQuery, "model.layers.{L}.self_attn.q_proj.weight"},
              {TensorRole::kKey, "model.layers.{L}.self_attn.k_proj.weight"},
              {TensorRole::kValue, "model.layers.{L}.self_attn.v_proj.weight"},
              {TensorRole::kAttentionOutput, "model.layers.{L}.self_attn.o_proj.weight"},
              {TensorRole::kQueryBias, "model.layers.{L}.self_attn.q_proj.bias"},
              {TensorRole::kKeyBias, "model.layers.{L}.self_attn.k_proj.bias"},
              {TensorRole::kValueBias, "model.layers.{L}.self_attn.v_proj.bias"},
              {TensorRole::kAttentionOutputBias, "model.layers.{L}.self_attn.o_proj.bias"},
              {TensorRole::kQueryNorm, "model.layers.{L}.self_attn.q_norm.weight"},
              {TensorRole::kKeyNorm, "model.layers.{L}.self_attn.k_norm.weight"},
              {TensorRole::kMlpNorm, "model.layers.{L}.post_attention_layernorm.weight"},
              {TensorRole::kGate, "model.layers.{L}.mlp.gate_proj.weight"},
              {TensorRole::kUp, "model.layers.{L}.mlp.up_proj.weight"},
              {TensorRole::kDown, "model.layers.{L}.mlp.down_proj.weight"},
              {TensorRole::kGateBias, "model.layers.{L}.mlp.gate_proj.bias"},
              {TensorRole::kUpBias, "model.layers.{L}.mlp.up_proj.bias"},
              {TensorRole::kDownBias, "model.layers.{L}.mlp.down_proj.bias"},
          });
}

TensorNames gguf_names_of_llama() {
  return with_names({}, {
                            {TensorRole::kEmbedding, "token_embd.weight"},
                            {TensorRole::kOutputNorm, "output_norm.weight"},
                            {TensorRole::kOutput, "output.weight"},
                            {TensorRole::kRopeDivisors, "rope_freqs.weight"},
                            {TensorRole::kAttentionNorm, "blk.{L}.attn_norm.weight"},
                            {TensorRole::kQuery, "blk.{L}.attn_q.weight"},
                            {TensorRole::kKey, "blk.{L}.attn_k.weight"},
                            {TensorRole::kValue, "blk.{L}.attn_v.weight"},
                            {TensorRole::kAttentionOutput, "blk.{L}.attn_output.weight"},
                            {TensorRole::kQueryBias, "blk.{L}.attn_q.bias"},
                            {TensorRole::kKeyBias, "blk.{L}.attn_k.bias"},
                            {TensorRole::kValueBias, "blk.{L}.attn_v.bias"},
                            {TensorRole::kAttentionOutputBias, "blk.{L}.attn_output.bias"},
                            {TensorRole::kQueryNorm, "blk.{L}.attn_q_norm.weight"},
                            {TensorRole::kKeyNorm, "blk.{L}.attn_k_norm.weight"},
                            {TensorRole::kMlpNorm, "blk.{L}.ffn_norm.weight"},
                            {TensorRole::kGate, "blk.{L}.ffn_gate.weight"},
                            {TensorRole::kUp, "blk.{L}.ffn_up.weight"},
                            {TensorRole::kDown, "blk.{L}.ffn_down.weight"},
                            {TensorRole::kGateBias, "blk.{L}.ffn_gate.bias"},
                            {TensorRole::kUpBias, "blk.{L}.ffn_up.bias"},
                            {TensorRole::kDownBias, "blk.{L}.ffn_down.bias"},
                            {TensorRole::kRouter, "blk.{L}.ffn_gate_inp.weight"},
                            {TensorRole::kGateExperts, "blk.{L}.ffn_gate_exps.weight"},
                            {TensorRole::kUpExperts, "blk.{L}.ffn_up_exps.weight"},
                            {TensorRole::kDownExperts, "blk.{L}.ffn_down_exps.weight"},
                        });
}

}  // namespace anybit::model::internal
