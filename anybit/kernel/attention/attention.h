// Causal attention of queries over one layer's stored keys and values, for decode and prefill.
#pragma once

#include <cstdint>
#include <span>

#include "anybit/base/parallel.h"
#include "anybit/kernel/kv_cache/kv_cache.h"
#include "anybit/kernel/variant.h"

namespace anybit::kernel {

struct AttentionParameters {
  int64_t num_q_heads = 0;  // A multiple of num_kv_heads; query head h reads h / (their ratio).
  float scale = 1;          // Multiplies q . k; usually 1 / sqrt(head_dim).
  float soft_cap = 0;       // Scores become soft_cap * tanh(score / soft_cap); 0: no cap.
  int64_t window = 0;       // A query sees its own and the window - 1 tokens before; 0: all.
};

/// The queries of the newest `num_tokens` tokens of a layer.
struct AttentionQueries {
  const float* q = nullptr;  // [num_tokens, num_q_heads, head_dim]
  int64_t token_stride = 0;  // Floats from a token to the next.
  int64_t num_tokens = 0;
};

/// out = softmax(cap(scale q . k)) v for every query head of every token. Token i is at position
/// kv.length() - num_tokens + i, and sees the positions up to its own that are in its window:
/// append the new keys and values first. Shapes: out [num_tokens, num_q_heads, head_dim], dense;
/// not overlapping q. Pre: 0 <= num_tokens <= kv.length(); num_q_heads is a positive multiple of
/// num_kv_heads. Sums in f32; keys in blocks by absolute position with running maxima, so memory
/// does not grow with the square of the length, and a token's result depends neither on the number
/// of threads nor on how many tokens come with it. A NaN in a visible key or value gives NaN.
/// Source: Milakov and Gimelshein 2018, "Online normalizer calculation for softmax"; Dao 2023,
/// "FlashAttention-2"; Ainslie et al. 2023 for grouped queries.
void attention(const AttentionQueries& queries, const KvLayer& kv,
               const AttentionParameters& parameters, float* out, Threads threads);

/// The whole operation, as above.
using AttentionFunction = void(const AttentionQueries& queries, const KvLayer& kv,
                               const AttentionParameters& parameters, float* out, Threads threads);

/// Every implementation, best first.
std::span<const Variant<AttentionFunction>> attention_variants();

}  // namespace anybit::kernel
