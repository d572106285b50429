#include "anybit/vm/backend/reference/internal/arithmetic.h"

#include <gtest/gtest.h>
#include <mpfr.h>

#include <bit>
#include <cmath>
#include <limits>
#include <random>

namespace anybit::vm::reference {
namespace {

using numeric::kBF16;
using numeric::kF16;
using numeric::kF32;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// Codes of `format` at random, special ones among them.
Code random_code(const ElementFormat& format, std::mt19937& random) {
  const Code mask = static_cast<Code>((uint64_t{1} << format.bits) - 1);
  const Code special[] = {0, mask, mask >> 1, (mask >> 1) + 1, 1, mask >> 2};
  return random() % 16 == 0 ? special[random() % 6] : random() & mask;
}

/// a * b + c, or a / b, exactly (400 bits hold every such sum), then rounded once by encode.
Code exact_multiply_add(const ElementFormat& format, double a, double b, double c) {
  mpfr_t x, y;
  mpfr_inits2(700, x, y, static_cast<mpfr_ptr>(nullptr));
  mpfr_set_d(x, a, MPFR_RNDN);
  mpfr_mul_d(x, x, b, MPFR_RNDN);
  mpfr_set_d(y, c, MPFR_RNDN);
  mpfr_add(x, x, y, MPFR_RNDN);
  // To odd in 53 bits: truncated, and the last bit set if something was lost.
  double value = mpfr_get_d(x, MPFR_RNDZ);
  mpfr_set_d(y, value, MPFR_RNDN);
  if (std::isfinite(value) && mpfr_cmp(x, y) != 0) {
    value = std::bit_cast<double>(std::bit_cast<uint64_t>(value) | 1);
  }
  mpfr_clears(x, y, static_cast<mpfr_ptr>(nullptr));
  return encode_element(format, value,
                        {numeric::RoundingMode::kNearestEven, numeric::Overflow::kSpecial});
}

void expect_same(const ElementFormat& format, Code found, Code expected, std::string_view what) {
  if (std::isnan(element_value(format, expected))) {
    EXPECT_TRUE(std::isnan(element_value(format, found))) << what;
  } else if (element_value(format, expected) == 0) {
    EXPECT_EQ(element_value(format, found), 0) << what;  // Signs of zero: see below.
  } else {
    EXPECT_EQ(found, expected) << what;
  }
}

TEST(Arithmetic, SumsAndProductsOfFloatsAreRoundedOnce) {
  std::mt19937 random(1);
  for (const ElementFormat& format : {kF16, kBF16}) {
    for (int n = 0; n < 20000; ++n) {
      const Code a = random_code(format, random), b = random_code(format, random),
                 c = random_code(format, random);
      const double x = element_value(format, a), y = element_value(format, b),
                   z = element_value(format, c);
      const std::string what = fmt::format("{:#x} {:#x} {:#x}", a, b, c);
      expect_same(format, *apply_binary(BinaryOp::kAdd, format, a, b),
                  exact_multiply_add(format, x, 1, y), what);
      expect_same(format, *apply_binary(BinaryOp::kSub, format, a, b),
                  exact_multiply_add(format, y, -1, x), what);
      expect_same(format, *apply_binary(BinaryOp::kMul, format, a, b),
                  exact_multiply_add(format, x, y, 0), what);
      expect_same(format, apply_fma(format, a, b, c), exact_multiply_add(format, x, y, z), what);
    }
  }
}

TEST(Arithmetic, QuotientsAreRoundedOnce) {
  std::mt19937 random(2);
  for (const ElementFormat& format : {kF16, kBF16}) {
    for (int n = 0; n < 20000; ++n) {
      const Code a = random_code(format, random), b = random_code(format, random);
      const double x = element_value(format, a), y = element_value(format, b);
      if (!std::isfinite(x) || !std::isfinite(y) || y == 0) continue;
      mpfr_t quotient;
      mpfr_init2(quotient, 200);
      mpfr_set_d(quotient, x, MPFR_RNDN);
      mpfr_div_d(quotient, quotient, y, MPFR_RNDZ);
      // 200 bits leave no doubt on which side of a tie of 11 bits it lies; an exact tie has few.
      double value = mpfr_get_d(quotient, MPFR_RNDZ);
      if (mpfr_cmp_d(quotient, value) != 0) {
        value = std::bit_cast<double>(std::bit_cast<uint64_t>(value) | 1);
      }
      mpfr_clear(quotient);
      expect_same(
          format, *apply_binary(BinaryOp::kDiv, format, a, b),
          encode_element(format, value,
                         {numeric::RoundingMode::kNearestEven, numeric::Overflow::kSpecial}),
          fmt::format("{:#x} / {:#x}", a, b));
    }
  }
}

TEST(Arithmetic, MinAndMaxPreferNumbersAndKnowSignsOfZero) {
  for (const ElementFormat& format : {kF32, kF16, kBF16}) {
    const Code zero = float_code(format, 0.0), minus_zero = float_code(format, -0.0);
    const Code nan = float_code(format, std::nan("")), one = float_code(format, 1);
    EXPECT_EQ(*apply_binary(BinaryOp::kMin, format, zero, minus_zero), minus_zero);
    EXPECT_EQ(*apply_binary(BinaryOp::kMin, format, minus_zero, zero), minus_zero);
    EXPECT_EQ(*apply_binary(BinaryOp::kMax, format, minus_zero, zero), zero);
    EXPECT_EQ(*apply_binary(BinaryOp::kMax, format, zero, minus_zero), zero);
    EXPECT_EQ(*apply_binary(BinaryOp::kMin, format, nan, one), one);
    EXPECT_EQ(*apply_binary(BinaryOp::kMax, format, one, nan), one);
    EXPECT_EQ(*apply_binary(BinaryOp::kMax, format, nan, nan), nan);
  }
}

TEST(Arithmetic, EveryNanIsTheSame) {
  EXPECT_EQ(*apply_binary(BinaryOp::kSub, kF32, 0x7f800000, 0x7f800000), 0x7fffffffU);
  EXPECT_EQ(*apply_binary(BinaryOp::kMul, kF16, 0x7c00, 0), 0x7fffU);
  EXPECT_EQ(apply_unary(UnaryOp::kSqrt, kBF16, 0xbf80), 0x7fffU);
  EXPECT_EQ(apply_unary(UnaryOp::kNegate, kF32, 0x7fc00001), 0xffc00001U);  // Bits, as documented.
}

TEST(Arithmetic, IntegersWrap) {
  std::mt19937 random(3);
  for (const int bits : {8, 16, 32}) {
    for (const ElementFormat& format : {numeric::int_format(bits), numeric::uint_format(bits)}) {
      const bool is_signed = format.kind == numeric::ElementKind::kInt;
      const auto value = [&](Code code) -> __int128 {
        const bool is_negative = is_signed && (code >> (bits - 1) & 1) != 0;
        return static_cast<__int128>(code) - (is_negative ? __int128{1} << bits : 0);
      };
      const auto wrapped = [&](__int128 x) {
        return static_cast<Code>(x & ((__int128{1} << bits) - 1));
      };
      for (int n = 0; n < 2000; ++n) {
        const Code a = random_code(format, random), b = random_code(format, random);
        const __int128 x = value(a), y = value(b);
        EXPECT_EQ(*apply_binary(BinaryOp::kAdd, format, a, b), wrapped(x + y));
        EXPECT_EQ(*apply_binary(BinaryOp::kSub, format, a, b), wrapped(x - y));
        EXPECT_EQ(*apply_binary(BinaryOp::kMul, format, a, b), wrapped(x * y));
        if (y != 0) {
          EXPECT_EQ(*apply_binary(BinaryOp::kDiv, format, a, b), wrapped(x / y));
          EXPECT_EQ(*apply_binary(BinaryOp::kMod, format, a, b), wrapped(x % y));
        } else {
          EXPECT_FALSE(apply_binary(BinaryOp::kDiv, format, a, b).has_value());
          EXPECT_FALSE(apply_binary(BinaryOp::kMod, format, a, b).has_value());
        }
        EXPECT_EQ(*apply_binary(BinaryOp::kMin, format, a, b), x < y ? a : b);
        EXPECT_EQ(*apply_binary(BinaryOp::kMax, format, a, b), x > y ? a : b);
        const int shift = static_cast<int>(b % static_cast<Code>(bits));
        EXPECT_EQ(*apply_binary(BinaryOp::kShiftLeft, format, a, b), wrapped(x << shift));
        EXPECT_EQ(*apply_binary(BinaryOp::kShiftRight, format, a, b), wrapped(x >> shift));
        EXPECT_EQ(apply_unary(UnaryOp::kNegate, format, a), wrapped(-x));
        EXPECT_EQ(apply_unary(UnaryOp::kAbs, format, a), wrapped(x < 0 ? -x : x));
        EXPECT_EQ(apply_unary(UnaryOp::kNot, format, a), wrapped(-x - 1));
        EXPECT_EQ(apply_compare(CompareOp::kLess, format, a, b), x < y);
        EXPECT_EQ(apply_compare(CompareOp::kGreaterEqual, format, a, b), x >= y);
      }
    }
  }
}

TEST(Arithmetic, ComparisonsOfNanAreFalseSaveForUnequal) {
  const Code nan = float_code(kF16, std::nan("")), one = float_code(kF16, 1);
  for (const auto& [a, b] : {std::pair{nan, one}, {one, nan}, {nan, nan}}) {
    for (const CompareOp op : {CompareOp::kEqual, CompareOp::kLess, CompareOp::kLessEqual,
                               CompareOp::kGreater, CompareOp::kGreaterEqual}) {
      EXPECT_FALSE(apply_compare(op, kF16, a, b));
    }
    EXPECT_TRUE(apply_compare(CompareOp::kNotEqual, kF16, a, b));
  }
}

TEST(Arithmetic, NeutralElementsLeaveEveryValue) {
  std::mt19937 random(4);
  for (const ElementFormat& format :
       {kF32, kF16, kBF16, numeric::int_format(8), numeric::uint_format(16), kInt32, kUint32}) {
    const bool is_float = is_compute_float(format);
    for (int op = 0; op < 7; ++op) {
      if (is_float && op > static_cast<int>(ReduceOp::kMax)) continue;
      const auto reduce = static_cast<ReduceOp>(op);
      const Code neutral = reduce_neutral(reduce, format);
      for (int n = 0; n < 200; ++n) {
        const Code code = random_code(format, random);
        if (is_float && std::isnan(element_value(format, code))) continue;
        EXPECT_EQ(element_value(format, apply_reduce(reduce, format, neutral, code)),
                  element_value(format, code));
      }
    }
  }
  EXPECT_EQ(reduce_neutral(ReduceOp::kAnd, kBool), 1U);
  EXPECT_EQ(element_value(kF32, reduce_neutral(ReduceOp::kMin, kF32)), kInfinity);
}

TEST(Arithmetic, AtomicsFollowTheirOperators) {
  EXPECT_EQ(apply_atomic(AtomicOp::kAdd, kInt32, 0xffffffff, 2), 1U);
  EXPECT_EQ(apply_atomic(AtomicOp::kMin, kInt32, 0xffffffff, 2), 0xffffffffU);
  EXPECT_EQ(apply_atomic(AtomicOp::kMin, kUint32, 0xffffffff, 2), 2U);
  EXPECT_EQ(apply_atomic(AtomicOp::kMax, kInt32, 0xffffffff, 2), 2U);
  EXPECT_EQ(apply_atomic(AtomicOp::kAnd, kUint32, 6, 3), 2U);
  EXPECT_EQ(apply_atomic(AtomicOp::kOr, kUint32, 6, 3), 7U);
  EXPECT_EQ(apply_atomic(AtomicOp::kXor, kUint32, 6, 3), 5U);
  EXPECT_EQ(apply_atomic(AtomicOp::kExchange, kF32, 6, 3), 3U);
}

}  // namespace
}  // namespace anybit::vm::reference
