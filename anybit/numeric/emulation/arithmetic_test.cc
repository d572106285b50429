#include "anybit/numeric/emulation/arithmetic.h"

#include <gtest/gtest.h>
#include <mpfr.h>

#include <cmath>
#include <string>
#include <vector>

#include "anybit/base/philox.h"

namespace anybit::numeric {
namespace {

EmulatedRounding rule(const std::string& format, EmulatedMode mode = EmulatedMode::kNearestEven,
                      uint64_t stream = 0) {
  EmulatedRounding rounding;
  rounding.format = parse_element_format(format).value();
  rounding.mode = mode;
  rounding.seed = 42;
  rounding.stream = stream;
  return rounding;
}

std::vector<float> normal_values(int64_t count, uint64_t seed) {
  std::vector<float> values(count);
  for (int64_t i = 0; i < count; ++i) values[i] = static_cast<float>(Philox(seed).normal(i));
  return values;
}

// x op y with 200 and more bits, then once to the accumulator's: the value that must come out.
TEST(EmulatedArithmetic, OddSumsAndProductsRoundCorrectly) {
  const Philox random(1);
  mpfr_t exact, narrow;
  mpfr_init2(exact, 2200);
  for (const int bits : {8, 11, 24}) {
    mpfr_init2(narrow, bits);
    const EmulatedRounding r = rule(bits == 8 ? "bf16" : bits == 11 ? "tf32" : "f32");
    for (int i = 0; i < 20000; ++i) {
      const auto value = [&](int which) {
        const double x = random.normal(2 * i + which);
        const double narrow_x = decode(r.format, encode(r.format, x));
        return std::ldexp(narrow_x, static_cast<int>(random.bits64(2 * i + which) % 60) - 30);
      };
      const double x = value(0), y = value(1);
      mpfr_set_d(exact, x, MPFR_RNDN);
      mpfr_add_d(exact, exact, y, MPFR_RNDN);
      mpfr_set(narrow, exact, MPFR_RNDN);
      ASSERT_EQ(round_value_reference(sum_to_odd(x, y), r, 0), mpfr_get_d(narrow, MPFR_RNDN));
      const double long_x = x * (1 + 0x1p-50);  // 53 bits: the product is not exact.
      mpfr_set_d(exact, long_x, MPFR_RNDN);
      mpfr_mul_d(exact, exact, y, MPFR_RNDN);
      mpfr_set(narrow, exact, MPFR_RNDN);
      ASSERT_EQ(round_value_reference(product_to_odd(long_x, y), r, 0),
                mpfr_get_d(narrow, MPFR_RNDN));
    }
    mpfr_clear(narrow);
  }
  mpfr_clear(exact);
  // Directed: the error alone decides.
  EXPECT_EQ(round_value_reference(sum_to_odd(1, 0x1p-80), rule("f16", EmulatedMode::kUp), 0),
            1 + 0x1p-10);
  EXPECT_EQ(round_value_reference(sum_to_odd(1, -0x1p-80), rule("f16", EmulatedMode::kDown), 0),
            1 - 0x1p-11);
}

TEST(EmulatedArithmetic, MatmulIsItsReference) {
  struct Case {
    const char* operand;
    const char* product;  // "" keeps it exact.
    const char* accumulator;
    EmulatedMode mode;
  };
  const Case cases[] = {{"e4m3", "", "f32", EmulatedMode::kNearestEven},
                        {"bf16", "bf16", "bf16", EmulatedMode::kNearestEven},
                        {"e4m3", "f16", "f16", EmulatedMode::kTowardZero},
                        {"e5m2", "e6m9", "e6m9", EmulatedMode::kStochastic},
                        {"e2m1", "", "e5m6", EmulatedMode::kToOdd},
                        {"posit8_1", "posit16_1", "posit16_1", EmulatedMode::kNearestEven},
                        {"lns8_3", "lns10_4", "bf16", EmulatedMode::kNearestEven},
                        {"int8f6", "", "int16f8", EmulatedMode::kNearestAway}};
  for (const auto& [m, n, k] : {std::tuple{3, 5, 17}, {1, 1, 1}, {2, 300, 8}, {4, 1, 7}}) {
    const auto a = normal_values(m * k, 1), b = normal_values(k * n, 2);
    for (const Case& c : cases) {
      for (const auto order : {SummationOrder::kSequential, SummationOrder::kPairwise}) {
        EmulatedArithmetic arithmetic;
        arithmetic.operand_a = rule(c.operand, c.mode, 1);
        arithmetic.operand_b = rule(c.operand, c.mode, 2);
        if (*c.product != 0) arithmetic.product = rule(c.product, c.mode, 3);
        arithmetic.accumulator = rule(c.accumulator, c.mode, 4);
        arithmetic.order = order;
        std::vector<double> found(m * n), expected(m * n);
        emulated_matmul(a, b, m, n, k, arithmetic, found, Threads{2});
        emulated_matmul_reference(a, b, m, n, k, arithmetic, expected);
        ASSERT_EQ(found, expected) << c.operand << " " << c.accumulator << " " << m << "x" << n
                                   << "x" << k << " order " << static_cast<int>(order);
      }
    }
  }
}

TEST(EmulatedArithmetic, F32MatchesTheProcessor) {
  const auto a = normal_values(777, 5), b = normal_values(777, 6);
  EmulatedArithmetic rounded;
  rounded.product = rule("f32");
  EmulatedArithmetic fused;
  float sum = 0, fused_sum = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    sum += a[i] * b[i];
    fused_sum = std::fma(a[i], b[i], fused_sum);
  }
  EXPECT_EQ(emulated_dot(a, b, rounded), sum);
  EXPECT_EQ(emulated_dot(a, b, fused), fused_sum);
  EXPECT_EQ(emulated_dot({}, {}, fused), 0);
}

double harmonic_sum(bool ascending, const std::string& format, EmulatedMode mode,
                    SummationOrder order, int64_t count) {
  std::vector<float> terms(count), ones(count, 1.0f);
  for (int64_t i = 0; i < count; ++i) {
    terms[i] = 1.0f / static_cast<float>(ascending ? count - i : i + 1);
  }
  EmulatedArithmetic arithmetic;
  arithmetic.accumulator = rule(format, mode);
  arithmetic.order = order;
  return emulated_dot(terms, ones, arithmetic);
}

// The sum of 1/k stops growing where 1/k falls under half a unit in the last place of the sum:
// in f16, from the large terms on, at 7.0859375. Small terms first, or in pairs, or with stochastic
// rounding, it goes on.
TEST(EmulatedArithmetic, HarmonicSumDependsOnTheOrderAsItShould) {
  constexpr int64_t kCount = 100000;
  double exact = 0;
  for (int64_t i = kCount; i > 0; --i) exact += 1.0 / static_cast<double>(i);
  const auto nearest = EmulatedMode::kNearestEven;
  const auto sequential = SummationOrder::kSequential;
  const double down = harmonic_sum(false, "f16", nearest, sequential, kCount);
  EXPECT_EQ(down, harmonic_sum(false, "f16", nearest, sequential, 1000));
  EXPECT_EQ(down, 7.0859375);
  const double up = harmonic_sum(true, "f16", nearest, sequential, kCount);
  const double pairs = harmonic_sum(false, "f16", nearest, SummationOrder::kPairwise, kCount);
  const double stochastic =
      harmonic_sum(false, "f16", EmulatedMode::kStochastic, sequential, kCount);
  EXPECT_LT(std::fabs(up - exact), std::fabs(down - exact));
  // Pairwise: at most ceil(log2 n) = 17 roundings on any path, each by 2^-11.
  EXPECT_NEAR(pairs, exact, exact * 17 * 0x1p-11);
  // Stochastic: independent errors of at most one unit u of the last place (2^-8 up to 16, 2^-9 up
  // to 8, ...) where a term matters: variance u * 1/k a step, in all u * exact.
  EXPECT_NEAR(stochastic, exact, 4 * std::sqrt(0x1p-7 * exact));
  // Toward zero loses every term under a unit; bf16 stops before f16.
  EXPECT_LT(harmonic_sum(false, "f16", EmulatedMode::kTowardZero, sequential, kCount), down);
  EXPECT_LT(harmonic_sum(false, "bf16", nearest, sequential, kCount), down);
}

}  // namespace
}  // namespace anybit::numeric
