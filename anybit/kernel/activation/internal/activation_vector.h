// The activations for whatever FloatVector is in the including file.
#pragma once

#include "anybit/kernel/activation/activation.h"
#include "anybit/kernel/internal/float_vector.h"

namespace anybit::kernel {
namespace {

struct Silu {
  static FloatVector apply(FloatVector x) {
    const FloatVector one = FloatVector::all(1);
    return x / (one + exponential(FloatVector::all(0) - x));
  }
};

/// 1 + tanh(u) = 2 / (1 + exp(-2 u)), which needs no tanh and does not cancel.
struct GeluTanh {
  static FloatVector apply(FloatVector x) {
    constexpr float kTwoRootTwoOverPi = 1.5957691216057308f;
    const FloatVector cubic = fma(x * x, FloatVector::all(0.044715f), FloatVector::all(1));
    const FloatVector twice_u = x * FloatVector::all(kTwoRootTwoOverPi) * cubic;
    return x / (FloatVector::all(1) + exponential(FloatVector::all(0) - twice_u));
  }
};

/// x Phi(x), where for x < 0 Phi(x) = erfc(a) / 2 and a = |x| / sqrt(2). erfc(a) = exp(-a^2) t p(t)
/// with t = 1 / (1 + 0.4 a); p is minimax on a in [0, 10.3], relative error 2e-9. The square is
/// taken in two parts, since exp turns its absolute error into a relative one.
struct Gelu {
  static FloatVector apply(FloatVector x) {
    constexpr float kTerms[] = {0x1.ce3412p-3f,  0x1.cdb8a6p-3f,  0x1.adfda2p-3f, 0x1.4375f4p-3f,
                                0x1.5c8af8p-3f,  -0x1.50f36cp-5f, 0x1.424aeap-3f, -0x1.54dc84p-4f,
                                -0x1.583c2ap-4f, 0x1.4a9f28p-4f,  -0x1.35e48cp-6f};
    constexpr float kPointFourOverRootTwo = 0.28284271247461901f;
    constexpr float kLargest = 15;  // exp(-x^2 / 2) is 0 in f32 from 14.42 on.
    const FloatVector one = FloatVector::all(1), half = FloatVector::all(0.5f);
    const FloatVector magnitude = min(FloatVector::all(kLargest), absolute(x));
    const FloatVector t = one / fma(magnitude, FloatVector::all(kPointFourOverRootTwo), one);
    const FloatVector square = magnitude * magnitude;
    const FloatVector minus_rest =
        FloatVector::all(0) - fma(magnitude, magnitude, FloatVector::all(0) - square);
    const FloatVector gaussian = exponential(square * FloatVector::all(-0.5f));
    const FloatVector corrected = fma(gaussian * half, minus_rest, gaussian);
    const FloatVector tail = half * t * polynomial(kTerms, t) * corrected;
    return x * select_less(x, FloatVector::all(0), tail, one - tail);
  }
};

struct Relu {
  /// NaN stays NaN: max gives its second argument then.
  static FloatVector apply(FloatVector x) { return max(FloatVector::all(0), x); }
};

template <class Function>
void apply_gated(const float* gate, const float* up, int64_t count, float* out) {
  constexpr int64_t kLanes = FloatVector::kLanes;
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    const FloatVector y = Function::apply(FloatVector::load(gate + i));
    (up ? y * FloatVector::load(up + i) : y).store(out + i);
  }
  if (i == count) return;
  const FloatVector y = Function::apply(FloatVector::load_first(gate + i, count - i));
  (up ? y * FloatVector::load_first(up + i, count - i) : y).store_first(out + i, count - i);
}

inline void gated_activation_vector(Activation activation, const float* gate, const float* up,
                                    int64_t count, float* out) {
  switch (activation) {
    case Activation::kSilu: return apply_gated<Silu>(gate, up, count, out);
    case Activation::kGeluTanh: return apply_gated<GeluTanh>(gate, up, count, out);
    case Activation::kGelu: return apply_gated<Gelu>(gate, up, count, out);
    case Activation::kRelu: return apply_gated<Relu>(gate, up, count, out);
  }
}

inline void exponential_vector(const float* x, int64_t count, float* out) {
  constexpr int64_t kLanes = FloatVector::kLanes;
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) exponential(FloatVector::load(x + i)).store(out + i);
  if (i == count) return;
  exponential(FloatVector::load_first(x + i, count - i)).store_first(out + i, count - i);
}

}  // namespace
}  // namespace anybit::kernel
