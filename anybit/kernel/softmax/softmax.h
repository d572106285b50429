// Softmax and logarithms of probabilities over rows of logits.
#pragma once

#include <cstdint>
#include <span>

#include "anybit/base/parallel.h"
#include "anybit/kernel/variant.h"

namespace anybit::kernel {

/// What is done to a logit before the exponential.
struct LogitTransform {
  float scale = 1;     // First: x * scale.
  float soft_cap = 0;  // Then: soft_cap * tanh(x / soft_cap); 0: no cap.
};

/// probabilities[i] = exp(t(x[i])) / sum_j exp(t(x[j])), t the transform. Each row by itself.
/// Shapes: x, out [num_rows, row_size], dense; out may be x. Pre: row_size > 0.
/// The largest logit is subtracted first; sums in f32 in independent lanes (reference: double).
/// -inf gives 0. A row with a NaN or +inf, or of nothing but -inf, gives NaN everywhere.
void softmax(const float* x, int64_t num_rows, int64_t row_size, const LogitTransform& transform,
             float* out, Threads threads);

/// x = soft_cap * tanh(x / soft_cap) in place, element by element. Pre: soft_cap > 0.
void apply_soft_cap(float* x, int64_t count, float soft_cap, Threads threads);

/// log(sum_j exp(logits[j])): exponentials in f32 (2 ulp), their sum and the logarithm in double.
/// NaN if a logit is NaN or +inf, or all are -inf. Pre: vocab_size > 0.
double log_sum_exp(const float* logits, int64_t vocab_size);

/// -log(probability of target): what perplexity averages, in nats. Sum in double.
/// Pre: 0 <= target < vocab_size.
double negative_log_likelihood(const float* logits, int64_t vocab_size, int64_t target);

/// out[i] = logits[i] - log_sum_exp(logits). Shapes: logits, out [vocab_size]; out may be logits.
void log_softmax(const float* logits, int64_t vocab_size, float* out);

/// The operations on one row that differ between processors.
struct SoftmaxFunctions {
  void (*softmax)(const float* x, int64_t row_size, const LogitTransform& transform, float* out);
  void (*soft_cap)(const float* x, int64_t count, float soft_cap, float* out);
  double (*log_sum_exp)(const float* x, int64_t count);
};

/// Every implementation, best first.
std::span<const Variant<const SoftmaxFunctions>> softmax_variants();

}  // namespace anybit::kernel
