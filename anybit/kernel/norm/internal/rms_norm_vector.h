// RMSNorm of a row for whatever FloatVector is in the including file.
#pragma once

#include "anybit/kernel/internal/float_vector.h"
#include "anybit/kernel/norm/rms_norm.h"

namespace anybit::kernel {
namespace {

/// The sum of squares; lane j of accumulator a adds the elements j + kLanes (a + 4 i).
inline float sum_of_squares(const float* x, int64_t count) {
  constexpr int64_t kLanes = FloatVector::kLanes;
  FloatVector sums[4] = {FloatVector::all(0), FloatVector::all(0), FloatVector::all(0),
                         FloatVector::all(0)};
  int64_t i = 0;
  for (; i + 4 * kLanes <= count; i += 4 * kLanes) {
    for (int64_t a = 0; a < 4; ++a) {
      const FloatVector part = FloatVector::load(x + i + a * kLanes);
      sums[a] = fma(part, part, sums[a]);
    }
  }
  for (; i + kLanes <= count; i += kLanes) {
    const FloatVector part = FloatVector::load(x + i);
    sums[0] = fma(part, part, sums[0]);
  }
  if (i < count) {
    const FloatVector part = FloatVector::load_first(x + i, count - i);
    sums[1] = fma(part, part, sums[1]);
  }
  return sum((sums[0] + sums[1]) + (sums[2] + sums[3]));
}

inline void rms_norm_vector(const float* x, const float* weight, int64_t row_size,
                            const RmsNormParameters& parameters, float* out) {
  constexpr int64_t kLanes = FloatVector::kLanes;
  const float mean = sum_of_squares(x, row_size) / static_cast<float>(row_size);
  const FloatVector inv_rms = FloatVector::all(1 / __builtin_sqrtf(mean + parameters.eps));
  const FloatVector added = FloatVector::all(parameters.adds_one_to_weight ? 1.0f : 0.0f);
  int64_t i = 0;
  for (; i + kLanes <= row_size; i += kLanes) {
    FloatVector y = FloatVector::load(x + i) * inv_rms;
    if (weight) y = y * (FloatVector::load(weight + i) + added);
    y.store(out + i);
  }
  const int64_t rest = row_size - i;
  if (rest == 0) return;
  FloatVector y = FloatVector::load_first(x + i, rest) * inv_rms;
  if (weight) y = y * (FloatVector::load_first(weight + i, rest) + added);
  y.store_first(out + i, rest);
}

}  // namespace
}  // namespace anybit::kernel
