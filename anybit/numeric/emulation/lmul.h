// L-Mul: a floating-point product approximated by one integer addition of the operands' bits. The
// integer adder is the definition here; where the mantissas' sum carries, it differs from the
// paper's printed formula (1 + x_m + y_m + 2^-l), which is worse there.
// Source: Luo and Sun 2024, "Addition is all you need for energy-efficient language models".
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "anybit/base/parallel.h"

namespace anybit::numeric {

/// What an L-Mul unit computes with.
struct LMul {
  int mantissa_bits = 23;  // m, 1..23: operands are rounded to so many, nearest even.
  /// l: 2^-l is added to the sum of the mantissas. Nothing: no offset (Mitchell's approximation).
  /// Pre: 0 < l <= mantissa_bits.
  std::optional<int> offset_log2 = 4;
};

/// The paper's l(m): m up to 3 bits, 3 for 4 bits, 4 for more.
constexpr int lmul_offset_log2(int mantissa_bits) {
  return mantissa_bits <= 3 ? mantissa_bits : mantissa_bits == 4 ? 3 : 4;
}

/// An LMul of m bits with the paper's offset.
constexpr LMul lmul_of_bits(int mantissa_bits) {
  return {mantissa_bits, lmul_offset_log2(mantissa_bits)};
}

/// The approximate product x y; m mantissa bits. Signs as in a product. Zero and subnormal operands
/// count as zero; results under 2^-126 become zero, results of 2^128 and more infinity. With an
/// infinite or NaN operand the result is that of the IEEE product (a subnormal counts as zero).
float lmul(float x, float y, const LMul& unit = {});

/// c = a b with lmul() for the products, summed in float from k = 0 up.
/// The result does not depend on `threads`.
/// Shapes: a [m, k], b [k, n], c [m, n], row-major. Pre: sizes agree.
void lmul_matmul(std::span<const float> a, std::span<const float> b, int64_t m, int64_t n,
                 int64_t k, const LMul& unit, std::span<float> c, Threads threads = {});

/// The same for one output. Pre: sizes agree.
float lmul_dot(std::span<const float> a, std::span<const float> b, const LMul& unit = {});

}  // namespace anybit::numeric
