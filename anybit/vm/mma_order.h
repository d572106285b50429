// The order of sums in matrix products, by definition of the interpreter and the emulated device:
// d = c, then d = fma(a[k], b[k], d) in f32 for k ascending. Tensor cores keep an order and width
// of their own; where all partial sums are exact, they agree bit for bit.
#pragma once

#include "anybit/vm/exact_half.h"
#include "anybit/vm/exact_math.h"

namespace anybit::vm::exact {

/// One term of the sum: f32 in one rounding; int32 modulo 2^32.
inline float mma_step(float sum, float a, float b) { return fma(a, b, sum); }
inline int mma_step(int sum, int a, int b) {
  return static_cast<int>(static_cast<unsigned>(sum) + static_cast<unsigned>(a * b));
}

/// c + the sum over k of a[k * a_stride] * b[k * b_stride], ascending. Pre: |a|, |b| < 2^15 if int.
template <class Value>
inline Value mma_dot(Value c, const Value* a, int a_stride, const Value* b, int b_stride, int k) {
  for (int i = 0; i < k; ++i) c = mma_step(c, a[i * a_stride], b[i * b_stride]);
  return c;
}

/// Terms after which an f16 accumulator is rounded: those of one step of the tensor cores.
inline constexpr int kHalfSumTerms = 16;

/// One step of the f16-accumulating form: the sum in f32, rounded to f16 once at the end.
/// Pre: k <= kHalfSumTerms.
inline unsigned mma_dot_f16(unsigned c, const float* a, int a_stride, const float* b, int b_stride,
                            int k) {
  return f32_to_f16(mma_dot(f16_to_f32(c), a, a_stride, b, b_stride, k));
}

}  // namespace anybit::vm::exact
