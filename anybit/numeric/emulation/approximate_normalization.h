// A chain of bfloat16 multiply-adds whose partial sums are normalized only roughly: bit for bit
// what the hardware of the source would hold. Source: Alexandridis et al. 2024, "Floating-point
// multiply-add with approximate normalization for low-cost matrix engines".
#pragma once

#include <cstdint>
#include <span>

#include "anybit/base/parallel.h"

namespace anybit::numeric {

/// The accumulator's width and which left shifts it can do. After a sum, if any of the `k` leading
/// bits is set nothing is shifted; else if any of the next `lambda` bits is set, the significand
/// shifts left by k; else by k + lambda.
struct ApproximateNormalization {
  int significand_bits = 16;  // W, 2..32, the leading bit included.
  int k = 0;                  // 0: exact normalization, whatever lambda is. At most W.
  int lambda = 0;
};

/// One running sum. Its value is significand * 2^(exponent - (W - 1)), with a sign.
///
/// A product is exact, then truncated to W bits; the operand of the smaller exponent is shifted
/// right and truncated; magnitudes are added or subtracted; a carry shifts right by one and
/// truncates; leading zeros shift left as ApproximateNormalization says. A sum of exactly zero
/// clears the exponent. The exponent itself is not bounded.
class ApproximateAccumulator {
 public:
  /// Pre: the ranges that ApproximateNormalization states.
  explicit ApproximateAccumulator(const ApproximateNormalization& normalization);

  /// Adds a * b. A product that is not finite, or such a sum, makes the result as IEEE 754 does.
  /// Pre: a and b are bfloat16 values.
  void add_product(float a, float b);

  /// The sum normalized fully and rounded to bfloat16, nearest even; beyond its range, infinity.
  float result() const;

  /// The sum as it is held.
  double value() const;

  uint64_t significand() const { return significand_; }
  int exponent() const { return exponent_; }
  int leading_zeros() const;

 private:
  void normalize();

  ApproximateNormalization normalization_;
  uint64_t significand_ = 0;
  int exponent_ = 0;
  bool is_negative_ = false;
  double not_finite_ = 0;  // Infinity or NaN once met.
};

/// c = a b through ApproximateAccumulator, products in order of k; elements of a and b are first
/// rounded to bfloat16, nearest even. c holds bfloat16 values. Independent of `threads`.
/// Shapes: a [m, k], b [k, n], c [m, n], row-major. Pre: sizes agree.
void approximate_matmul(std::span<const float> a, std::span<const float> b, int64_t m, int64_t n,
                        int64_t k, const ApproximateNormalization& normalization,
                        std::span<float> c, Threads threads = {});

}  // namespace anybit::numeric
