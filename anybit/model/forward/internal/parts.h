// What Model and ForwardState are made of.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "anybit/kernel/kv_cache/kv_cache.h"
#include "anybit/kernel/rope/rope.h"
#include "anybit/model/config.h"
#include "anybit/model/forward/internal/linear.h"
#include "anybit/model/model.h"

namespace anybit::model::internal {

/// One feed-forward layer or expert.
struct PackedMlp {
  Linear gate_up;  // Parts: gate, up.
  Linear down;
};

struct PackedLayer {
  std::vector<float> attention_norm;       // [hidden_size]
  std::vector<float> query_norm;           // [head_dim], or empty
  std::vector<float> key_norm;             // [head_dim], or empty
  std::vector<float> post_attention_norm;  // [hidden_size], or empty
  std::vector<float> mlp_norm;             // [hidden_size]
  std::vector<float> post_mlp_norm;        // [hidden_size], or empty
  Linear qkv;                              // Parts: query, key, value.
  Linear output;
  Linear router;                   // Of a mixture of experts.
  std::vector<PackedMlp> experts;  // [num_experts], or one.

  int64_t size_bytes() const;
};

struct ModelParts {
  ModelConfig config;
  ModelOptions options;
  tensor::QuantizedTensor embedding;  // Rows are decoded as tokens ask for them.
  std::vector<double> rope_divisors;
  std::vector<PackedLayer> layers;
  std::vector<float> output_norm;  // [hidden_size]
  Linear output;                   // [vocab_size, hidden_size]
};

/// Memory of one pass, kept for the next. Sizes in floats for n tokens of a chunk.
struct Scratch {
  std::vector<float> x;         // [n, hidden_size]: the residual stream.
  std::vector<float> normed;    // [n, hidden_size]
  std::vector<float> qkv;       // [n, q_size + 2 kv_size]
  std::vector<float> attended;  // [n, q_size]
  std::vector<float> added;     // [n, hidden_size]: what a half layer adds to x.
  std::vector<float> gate_up;   // [n, 2 intermediate_size]
  std::vector<float> gated;     // [n, intermediate_size]
  std::vector<float> router;    // [n, num_experts]
  std::vector<float> gathered;  // [n, hidden_size]: inputs of one expert.
  std::vector<float> expert;    // [n, hidden_size]: its outputs.
  std::vector<float> logits;
};

struct StateParts {
  kernel::KvCache cache;
  kernel::RopeFrequencies rope;
  kernel::RopeFrequencies sliding_rope;
  Scratch scratch;
};

/// `memory` with room for `count` floats at least.
float* room(std::vector<float>& memory, int64_t count);

/// Runs tokens [context length, + tokens.size()) through all layers and the last norm.
/// Post: scratch.normed holds the rows of tokens [first_wanted, tokens.size()).
/// Errors: those of KvLayer::append(), leaving layers unequal.
Status run_layers(const ModelParts& model, StateParts& state, std::span<const int32_t> tokens,
                  int64_t first_wanted);

/// out[n, hidden_size] = the layer's feed-forward of x[n, hidden_size], for a dense layer and for
/// a mixture of experts. A token's result does not depend on the others.
void run_mlp(const PackedMlp& mlp, kernel::Activation activation, int64_t intermediate_size,
             const float* x, int64_t num_tokens, float* out, Scratch& scratch, Threads threads);
void run_experts(const PackedLayer& layer, const ModelConfig& config, const float* x,
                 int64_t num_tokens, float* out, Scratch& scratch, Threads threads);

/// scratch.logits[num_rows, vocab_size] of rows of scratch.normed.
std::span<const float> compute_logits(const ModelParts& model, StateParts& state, int64_t first_row,
                                      int64_t num_rows);

}  // namespace anybit::model::internal
