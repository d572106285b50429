#include "anybit/numeric/emulation/approximate_normalization.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <vector>

#include "anybit/base/check.h"
#include "anybit/numeric/emulation/round_array.h"

namespace anybit::numeric {
namespace {

constexpr int kMaxSignificandBits = 32;

uint64_t shifted_right(uint64_t x, int count) { return count < 64 ? x >> count : 0; }

std::vector<float> as_bf16(std::span<const float> x) {
  EmulatedRounding rounding;
  rounding.format = kBF16;
  std::vector<float> rounded(x.size());
  round_array(x, rounding, rounded);
  return rounded;
}

}  // namespace

ApproximateAccumulator::ApproximateAccumulator(const ApproximateNormalization& normalization)
    : normalization_(normalization) {
  const int width = normalization.significand_bits;
  ANYBIT_CHECK(width >= 2 && width <= kMaxSignificandBits);
  ANYBIT_CHECK(normalization.k >= 0 && normalization.k <= width);
  ANYBIT_CHECK(normalization.lambda >= 0 && normalization.k + normalization.lambda <= width);
}

int ApproximateAccumulator::leading_zeros() const {
  return normalization_.significand_bits - static_cast<int>(std::bit_width(significand_));
}

void ApproximateAccumulator::normalize() {
  const int k = normalization_.k, lambda = normalization_.lambda;
  const int zeros = leading_zeros();
  const int shift = k == 0 ? zeros : zeros < k ? 0 : zeros < k + lambda ? k : k + lambda;
  significand_ <<= shift;
  exponent_ -= shift;
}

void ApproximateAccumulator::add_product(float a, float b) {
  const double product = static_cast<double>(a) * b;  // 16 bits: exact.
  if (!std::isfinite(product)) {
    not_finite_ += product;
    return;
  }
  if (product == 0) return;
  const int width = normalization_.significand_bits;
  int exponent = 0;
  const double fraction = std::fabs(std::frexp(product, &exponent));  // [1/2, 1)
  --exponent;
  auto significand = static_cast<uint64_t>(std::ldexp(fraction, width));
  const bool is_negative = product < 0;
  if (significand_ == 0) {
    significand_ = significand;
    exponent_ = exponent;
    is_negative_ = is_negative;
    return;
  }
  const int common = std::max(exponent, exponent_);
  significand = shifted_right(significand, common - exponent);
  significand_ = shifted_right(significand_, common - exponent_);
  exponent_ = common;
  if (is_negative == is_negative_) {
    significand_ += significand;
  } else if (significand_ >= significand) {
    significand_ -= significand;
  } else {
    significand_ = significand - significand_;
    is_negative_ = is_negative;
  }
  if (significand_ == 0) {
    exponent_ = 0;
    is_negative_ = false;
  } else if (significand_ >> width != 0) {
    significand_ >>= 1;
    ++exponent_;
  } else {
    normalize();
  }
}

double ApproximateAccumulator::value() const {
  if (not_finite_ != 0) return not_finite_;
  const double magnitude = std::ldexp(static_cast<double>(significand_),
                                      exponent_ - (normalization_.significand_bits - 1));
  return is_negative_ ? -magnitude : magnitude;
}

float ApproximateAccumulator::result() const {
  const Rounding nearest{RoundingMode::kNearestEven, Overflow::kSpecial};
  return static_cast<float>(decode(kBF16, encode(kBF16, value(), nearest)));
}

void approximate_matmul(std::span<const float> a, std::span<const float> b, int64_t m, int64_t n,
                        int64_t k, const ApproximateNormalization& normalization,
                        std::span<float> c, Threads threads) {
  ANYBIT_CHECK(static_cast<int64_t>(a.size()) == m * k && static_cast<int64_t>(b.size()) == k * n);
  ANYBIT_CHECK(static_cast<int64_t>(c.size()) == m * n);
  const std::vector<float> narrow_a = as_bf16(a), narrow_b = as_bf16(b);
  parallel_for(threads, m, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      std::vector<ApproximateAccumulator> sums(static_cast<size_t>(n),
                                               ApproximateAccumulator(normalization));
      for (int64_t kk = 0; kk < k; ++kk) {
        const float x = narrow_a[i * k + kk];
        for (int64_t j = 0; j < n; ++j) sums[j].add_product(x, narrow_b[kk * n + j]);
      }
      for (int64_t j = 0; j < n; ++j) c[i * n + j] = sums[j].result();
    }
  });
}

}  // namespace anybit::numeric
