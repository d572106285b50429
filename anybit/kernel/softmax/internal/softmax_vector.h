// Softmax of a row for whatever FloatVector is in the including file.
#pragma once

#include "anybit/kernel/internal/float_vector.h"
#include "anybit/kernel/softmax/softmax.h"

namespace anybit::kernel {
namespace {

inline constexpr float kInfinity = std::numeric_limits<float>::infinity();

inline FloatVector transformed(FloatVector x, const LogitTransform& transform) {
  x = x * FloatVector::all(transform.scale);
  if (transform.soft_cap == 0) return x;
  const FloatVector cap = FloatVector::all(transform.soft_cap);
  return cap * hyperbolic_tangent(x / cap);
}

/// The largest element; -inf for none. NaN may be passed over.
inline float largest_of(const float* x, int64_t count) {
  constexpr int64_t kLanes = FloatVector::kLanes;
  FloatVector m = FloatVector::all(-kInfinity);
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) m = max(FloatVector::load(x + i), m);
  if (i < count) {
    const FloatVector rest = FloatVector::load_first(x + i, count - i);
    m = max(rest.keep_first(count - i, FloatVector::all(-kInfinity)), m);
  }
  return largest(m);
}

inline void softmax_vector(const float* x, int64_t row_size, const LogitTransform& transform,
                           float* out) {
  constexpr int64_t kLanes = FloatVector::kLanes;
  int64_t i = 0;
  for (; i + kLanes <= row_size; i += kLanes) {
    transformed(FloatVector::load(x + i), transform).store(out + i);
  }
  const int64_t first_of_rest = i, rest = row_size - i;
  if (rest > 0) {
    transformed(FloatVector::load_first(x + i, rest), transform).store_first(out + i, rest);
  }

  const FloatVector shift = FloatVector::all(largest_of(out, row_size));
  FloatVector sums = FloatVector::all(0);
  for (i = 0; i < first_of_rest; i += kLanes) {
    const FloatVector e = exponential(FloatVector::load(out + i) - shift);
    sums = sums + e;
    e.store(out + i);
  }
  if (rest > 0) {
    const FloatVector e = exponential(FloatVector::load_first(out + i, rest) - shift);
    sums = sums + e.keep_first(rest, FloatVector::all(0));
    e.store_first(out + i, rest);
  }

  const FloatVector inv_sum = FloatVector::all(1 / sum(sums));
  for (i = 0; i < first_of_rest; i += kLanes) (FloatVector::load(out + i) * inv_sum).store(out + i);
  if (rest > 0) (FloatVector::load_first(out + i, rest) * inv_sum).store_first(out + i, rest);
}

inline void soft_cap_vector(const float* x, int64_t count, float soft_cap, float* out) {
  constexpr int64_t kLanes = FloatVector::kLanes;
  const LogitTransform transform = {.scale = 1, .soft_cap = soft_cap};
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    transformed(FloatVector::load(x + i), transform).store(out + i);
  }
  const int64_t rest = count - i;
  if (rest == 0) return;
  transformed(FloatVector::load_first(x + i, rest), transform).store_first(out + i, rest);
}

/// log(sum exp(x)): sums of at most kLanes exponentials go through sum_in_double.
inline double log_sum_exp_vector(const float* x, int64_t count) {
  constexpr int64_t kLanes = FloatVector::kLanes;
  const float m = largest_of(x, count);
  const FloatVector shift = FloatVector::all(m);
  double total = 0;
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    total += sum_in_double(exponential(FloatVector::load(x + i) - shift));
  }
  if (i < count) {
    const FloatVector e = exponential(FloatVector::load_first(x + i, count - i) - shift);
    total += sum_in_double(e.keep_first(count - i, FloatVector::all(0)));
  }
  return double{m} + __builtin_log(total);
}

}  // namespace
}  // namespace anybit::kernel
