#include "anybit/numeric/emulation/approximate_normalization.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "anybit/base/philox.h"
#include "anybit/numeric/element_format.h"

namespace anybit::numeric {
namespace {

float bf16(double x) { return static_cast<float>(decode(kBF16, encode(kBF16, x))); }

std::vector<float> bf16_normals(int64_t count, uint64_t seed) {
  std::vector<float> values(count);
  for (int64_t i = 0; i < count; ++i) values[i] = bf16(Philox(seed).normal(i));
  return values;
}

// x without what lies below 2^quantum_log2. Exact in double for the widths tested.
double truncated(double x, int quantum_log2) {
  return std::ldexp(std::trunc(std::ldexp(x, -quantum_log2)), quantum_log2);
}

// The exactly normalized truncating accumulator, in real arithmetic.
double reference_step(double sum, double product, int width) {
  if (product == 0) return sum;
  const double narrow = truncated(product, std::ilogb(product) - width + 1);
  if (sum == 0) return narrow;
  const int quantum = std::max(std::ilogb(narrow), std::ilogb(sum)) - width + 1;
  const double exact = truncated(sum, quantum) + truncated(narrow, quantum);
  return exact == 0 ? 0 : truncated(exact, std::max(quantum, std::ilogb(exact) - width + 1));
}

TEST(ApproximateNormalization, FullShiftsAreTheTruncatingAccumulatorBitForBit) {
  const auto a = bf16_normals(20000, 1), b = bf16_normals(20000, 2);
  for (const int width : {2, 8, 10, 12, 16, 24}) {
    ApproximateAccumulator accumulator({width, 0, 0});
    double sum = 0;
    for (size_t i = 0; i < a.size(); ++i) {
      const double scale = std::exp2(static_cast<double>(i % 23) - 11);
      const float x = static_cast<float>(a[i] * scale);
      accumulator.add_product(x, b[i]);
      sum = reference_step(sum, static_cast<double>(x) * b[i], width);
      ASSERT_EQ(accumulator.value(), sum) << width << " bits, step " << i;
      ASSERT_TRUE(accumulator.leading_zeros() == 0 || sum == 0);
    }
    EXPECT_EQ(accumulator.result(), bf16(sum));
  }
}

constexpr ApproximateNormalization kGrid[] = {{16, 1, 1}, {16, 1, 2}, {16, 2, 2},
                                              {16, 4, 4}, {12, 1, 2}, {10, 2, 2}};

TEST(ApproximateNormalization, PositiveSumsDoNotDependOnTheShifts) {
  const auto a = bf16_normals(5000, 3), b = bf16_normals(5000, 4);
  for (const ApproximateNormalization& approximate : kGrid) {
    ApproximateAccumulator rough(approximate), exact({approximate.significand_bits, 0, 0});
    for (size_t i = 0; i < a.size(); ++i) {
      rough.add_product(std::fabs(a[i]), std::fabs(b[i]));
      exact.add_product(std::fabs(a[i]), std::fabs(b[i]));
      ASSERT_EQ(rough.value(), exact.value());
      ASSERT_EQ(rough.significand(), exact.significand());
    }
  }
}

// The extra error of a dot product, and the standard error of its mean over many.
TEST(ApproximateNormalization, RoughShiftsCostAccuracyOnAverage) {
  constexpr int kDots = 2000, kLength = 64;
  for (const ApproximateNormalization& approximate : kGrid) {
    double extra = 0, extra_squares = 0;
    for (int dot = 0; dot < kDots; ++dot) {
      const auto a = bf16_normals(kLength, 100 + dot), b = bf16_normals(kLength, 10000 + dot);
      ApproximateAccumulator rough(approximate), exact({approximate.significand_bits, 0, 0});
      double sum = 0;
      for (int i = 0; i < kLength; ++i) {
        rough.add_product(a[i], b[i]);
        exact.add_product(a[i], b[i]);
        sum += static_cast<double>(a[i]) * b[i];
      }
      const double difference = std::fabs(rough.value() - sum) - std::fabs(exact.value() - sum);
      extra += difference / kDots;
      extra_squares += difference * difference / kDots;
    }
    const double deviation = std::sqrt(extra_squares / kDots);
    EXPECT_GE(extra, -4 * deviation);
    // Shifts as coarse as (4, 4) must show.
    if (approximate.k == 4) {
      EXPECT_GT(extra, 4 * deviation);
    }
  }
}

// -(1/2 + ... + 2^-j) + 1 = 2^-j has j leading zeros before it is normalized.
TEST(ApproximateNormalization, CancellationLeavesTheZerosOfTheRule) {
  for (const ApproximateNormalization& rule : kGrid) {
    for (int j = 1; j < rule.significand_bits; ++j) {
      ApproximateAccumulator accumulator(rule);
      for (int i = 1; i <= j; ++i) accumulator.add_product(-1, static_cast<float>(std::exp2(-i)));
      ASSERT_EQ(accumulator.leading_zeros(), 0);
      accumulator.add_product(1, 1);
      const int shift = j < rule.k ? 0 : j < rule.k + rule.lambda ? rule.k : rule.k + rule.lambda;
      EXPECT_EQ(accumulator.leading_zeros(), j - shift) << "k " << rule.k << ", j " << j;
      EXPECT_EQ(accumulator.exponent(), -shift);
      EXPECT_EQ(accumulator.value(), std::exp2(-j));
      EXPECT_EQ(accumulator.result(), static_cast<float>(std::exp2(-j)));
    }
    // j = W: the last place is lost when 1 sets the exponent, so twice as much is left.
    ApproximateAccumulator accumulator(rule);
    const int width = rule.significand_bits;
    for (int i = 1; i <= width; ++i) accumulator.add_product(-1, static_cast<float>(std::exp2(-i)));
    accumulator.add_product(1, 1);
    EXPECT_EQ(accumulator.value(), std::exp2(1 - width));
  }
}

// 2^W ones: exact until the sum has W bits; from there one is less than the last place.
TEST(ApproximateNormalization, OnesCarryIntoTheExponent) {
  for (const int width : {4, 8, 12, 16}) {
    ApproximateAccumulator accumulator({width, 1, 1});
    const int64_t count = int64_t{1} << width;
    for (int64_t i = 1; i <= count; ++i) {
      accumulator.add_product(1, 1);
      ASSERT_EQ(accumulator.value(), static_cast<double>(i));
    }
    EXPECT_EQ(accumulator.exponent(), width);
    EXPECT_EQ(accumulator.significand(), uint64_t{1} << (width - 1));
    accumulator.add_product(1, 1);
    EXPECT_EQ(accumulator.value(), static_cast<double>(count));
  }
}

TEST(ApproximateNormalization, ZeroInfinityAndNan) {
  const float infinity = std::numeric_limits<float>::infinity();
  ApproximateAccumulator accumulator({16, 1, 1});
  EXPECT_EQ(accumulator.result(), 0);
  accumulator.add_product(3, -1);
  accumulator.add_product(0, 5);
  accumulator.add_product(3, 1);
  EXPECT_EQ(accumulator.result(), 0);
  EXPECT_EQ(accumulator.exponent(), 0);
  accumulator.add_product(bf16(3e38), bf16(3e38));
  EXPECT_EQ(accumulator.result(), infinity);
  accumulator.add_product(infinity, 1);
  EXPECT_EQ(accumulator.value(), infinity);
  accumulator.add_product(infinity, -1);
  EXPECT_TRUE(std::isnan(accumulator.result()));
}

TEST(ApproximateNormalization, MatmulIsOneAccumulatorAnOutput) {
  constexpr int64_t kM = 3, kN = 7, kK = 40;
  std::vector<float> a(kM * kK), b(kK * kN), c(kM * kN);
  for (size_t i = 0; i < a.size(); ++i) a[i] = static_cast<float>(Philox(1).normal(i));
  for (size_t i = 0; i < b.size(); ++i) b[i] = static_cast<float>(Philox(2).normal(i));
  approximate_matmul(a, b, kM, kN, kK, {12, 1, 2}, c, Threads{2});
  for (int64_t i = 0; i < kM; ++i) {
    for (int64_t j = 0; j < kN; ++j) {
      ApproximateAccumulator accumulator({12, 1, 2});
      for (int64_t kk = 0; kk < kK; ++kk) {
        accumulator.add_product(bf16(a[i * kK + kk]), bf16(b[kk * kN + j]));
      }
      ASSERT_EQ(c[i * kN + j], accumulator.result());
    }
  }
}

}  // namespace
}  // namespace anybit::numeric
