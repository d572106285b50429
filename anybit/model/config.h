// ModelConfig: what a decoder-only language model is made of, whatever file said so. Which field of
// which file means what is left to architecture/.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "anybit/base/result.h"
#include "anybit/kernel/activation/activation.h"
#include "anybit/kernel/rope/rope.h"

namespace anybit::model {

/// One decoder, as both forward passes read it. Every layer is
///
///   x += post_norm(attention(norm(x)));  x += post_norm(feed_forward(norm(x)))
///
/// with the post norms, biases, query/key norms and experts that the flags switch on.
struct ModelConfig {
  std::string family;  // Row of architectures(): "llama", "gemma3".

  int64_t hidden_size = 0;
  int64_t intermediate_size = 0;  // Of one expert in a mixture of experts.
  int64_t num_layers = 0;
  int64_t num_q_heads = 0;
  int64_t num_kv_heads = 0;  // Divides num_q_heads.
  int64_t head_dim = 0;
  int64_t vocab_size = 0;
  int64_t max_positions = 0;  // Tokens the model was made for.

  // Attention.
  bool has_qkv_bias = false;
  bool has_attention_output_bias = false;
  bool has_qk_norm = false;  // RMSNorm of every query and key head before rope.
  float attention_scale = 0;
  float attention_soft_cap = 0;         // 0: none.
  int64_t sliding_window = 0;           // Tokens a sliding layer sees, its own included.
  std::vector<bool> is_sliding_layer;   // [num_layers]
  kernel::RopeParameters rope;          // Of layers that see everything.
  kernel::RopeParameters sliding_rope;  // Of sliding layers.

  // Feed-forward.
  kernel::Activation activation = kernel::Activation::kSilu;
  bool has_mlp_bias = false;
  int64_t num_experts = 0;            // 0: a dense layer.
  int64_t num_experts_per_token = 0;  // Weights: softmax over the chosen experts' logits.

  // Norms, embedding, output.
  float norm_eps = 0;
  bool norm_adds_one = false;   // Weights are stored minus one.
  bool has_post_norms = false;  // RMSNorm of what attention and feed-forward add to x.
  float embedding_scale = 1;
  float final_soft_cap = 0;          // Of the logits; 0: none.
  bool has_tied_embeddings = false;  // The output matrix is the embedding.

  std::optional<int32_t> bos_id;
  std::vector<int32_t> eos_ids;

  bool is_moe() const { return num_experts > 0; }
  int64_t q_size() const { return num_q_heads * head_dim; }
  int64_t kv_size() const { return num_kv_heads * head_dim; }
  /// The window of one layer, 0 where it sees everything.
  int64_t window(int64_t layer) const { return is_sliding_layer[layer] ? sliding_window : 0; }
  /// Weights and biases of all layers, embedding and output (tied: once).
  int64_t num_parameters() const;
};

/// Whether the numbers make a decoder that can be run: extents positive and within bounds that
/// keep every product far from overflow, heads and rotary dimensions that divide, finite constants.
/// Errors: kCorruptData naming `source` ("config.json"), the field, expected and found.
Status validate(const ModelConfig& config, std::string_view source);

}  // namespace anybit::model
