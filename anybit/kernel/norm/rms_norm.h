// RMSNorm of rows of f32: y = x / sqrt(mean(x^2) + eps) * weight.
#pragma once

#include <cstdint>
#include <span>

#include "anybit/base/parallel.h"
#include "anybit/kernel/variant.h"

namespace anybit::kernel {

struct RmsNormParameters {
  float eps = 1e-5f;
  bool adds_one_to_weight = false;  // Gemma as published: y = ... * (1 + weight).
};

/// Normalizes each row by itself.
/// Shapes: x, out [num_rows, row_size], dense; weight [row_size], or null for ones.
/// Pre: out is x or does not overlap it; row_size > 0.
/// Squares are summed in f32 in independent lanes, the reference in double. A row with a NaN or an
/// infinity gives NaN in at least that element. A row does not depend on the others or on threads.
/// Source: Zhang and Sennrich 2019, "Root mean square layer normalization", eq. 4.
void rms_norm(const float* x, const float* weight, int64_t num_rows, int64_t row_size,
              const RmsNormParameters& parameters, float* out, Threads threads);

/// Normalizes every head of every token in place (the query and key norms of Qwen 3 and Gemma 3).
/// Shapes: x [num_tokens, num_heads, head_dim] with `token_stride` floats from a token to the next;
/// weight [head_dim] or null.
/// Pre: token_stride >= num_heads * head_dim.
void rms_norm_heads(float* x, const float* weight, int64_t num_tokens, int64_t num_heads,
                    int64_t head_dim, int64_t token_stride, const RmsNormParameters& parameters,
                    Threads threads);

/// One row of the operation: out[row_size] from x[row_size].
using RmsNormRow = void(const float* x, const float* weight, int64_t row_size,
                        const RmsNormParameters& parameters, float* out);

/// Every implementation, best first.
std::span<const Variant<RmsNormRow>> rms_norm_variants();

}  // namespace anybit::kernel
