// Scalar functions of the emulated body against arithmetic of another origin: numeric's codecs,
// 64-bit integers, double. (Warps, memory and matrices: backend/emulated/emulator_test.cc.)
#include "anybit/vm/backend/cuda/device/device.h"

#include <gtest/gtest.h>

#include <cmath>

#include "anybit/base/philox.h"
#include "anybit/numeric/element_format.h"
#include "anybit/vm/exact_half.h"

namespace anybit::vm {
namespace {

using ab::u32;
using ab::u64;
using numeric::ElementFormat;

constexpr numeric::Rounding kNearest = {numeric::RoundingMode::kNearestEven,
                                        numeric::Overflow::kSpecial};

u32 word(u64 index) { return static_cast<u32>(Philox(3).bits64(index)); }

/// The code that a GPU gives: numeric's, with the canonical NaN.
u32 expected_code(const ElementFormat& format, double value) {
  return std::isnan(value) ? 0x7fff : numeric::encode(format, value, kNearest);
}

TEST(Device, HalvesDecodeExactly) {
  for (u32 code = 0; code < 65536; ++code) {
    const double f16 = numeric::decode(numeric::kF16, code);
    const double bf16 = numeric::decode(numeric::kBF16, code);
    const float as_f16 = ab::f16_hi_to_f32(code << 16), as_bf16 = ab::bf16_lo_to_f32(code);
    if (std::isnan(f16)) {
      ASSERT_EQ(ab::float_bits(as_f16), 0x7fffffffu);
    } else {
      ASSERT_EQ(ab::float_bits(as_f16), ab::float_bits(static_cast<float>(f16))) << code;
    }
    ASSERT_EQ(ab::float_bits(as_bf16), code << 16);
    ASSERT_TRUE(std::isnan(bf16) ? std::isnan(as_bf16) : as_bf16 == static_cast<float>(bf16));
    ASSERT_EQ(ab::f32_to_f16(as_f16), std::isnan(f16) ? 0x7fffu : code);
    ASSERT_EQ(ab::f32_to_bf16(as_bf16), std::isnan(bf16) ? 0x7fffu : code);
  }
}

TEST(Device, FloatsEncodeToNearestEven) {
  for (u64 bits = 0; bits < u64{1} << 32; bits += 4001) {
    const float x = ab::bits_float(static_cast<u32>(bits));
    ASSERT_EQ(ab::f32_to_f16(x), expected_code(numeric::kF16, x)) << x;
    ASSERT_EQ(ab::f32_to_bf16(x), expected_code(numeric::kBF16, x)) << x;
    const u32 e4m3 = ab::f32_to_e4m3x2(x, 1), e5m2 = ab::f32_to_e5m2x2(1, x);
    ASSERT_EQ(e4m3 >> 8, 0x38u);
    ASSERT_EQ(e5m2 & 255, 0x3cu);
    const bool nan = std::isnan(x);
    ASSERT_EQ(e4m3 & 255, nan ? 0x7fu : numeric::encode(numeric::kE4M3, x)) << x;
    ASSERT_EQ(e5m2 >> 8, nan ? 0x7fu : numeric::encode(numeric::kE5M2, x)) << x;
  }
  for (u32 code = 0; code < 65535; ++code) {  // Halfway between neighbours, and beside that.
    const u32 middle = code << 16 | 0x8000;
    for (const u32 bits : {middle - 1, middle, middle + 1}) {
      const float x = ab::bits_float(bits);
      ASSERT_EQ(ab::f32_to_bf16(x), expected_code(numeric::kBF16, x)) << x;
    }
  }
}

TEST(Device, EightBitFloatsDecodeExactly) {
  for (u32 code = 0; code < 256; ++code) {
    const u32 e4m3 = ab::e4m3x2_to_f16x2(code | 0x3800), e5m2 = ab::e5m2x2_to_f16x2(code << 8);
    ASSERT_EQ(e4m3 >> 16, 0x3c00u);
    ASSERT_EQ(e5m2 & 0xffff, 0u);
    const double x = numeric::decode(numeric::kE4M3, code);
    ASSERT_EQ(e4m3 & 0xffff, expected_code(numeric::kF16, x)) << code;
    ASSERT_EQ(e5m2 >> 16, expected_code(numeric::kF16, numeric::decode(numeric::kE5M2, code)));
  }
}

TEST(Device, Tf32RoundsAwayAtTies) {
  constexpr numeric::Rounding kAway = {numeric::RoundingMode::kNearestAway,
                                       numeric::Overflow::kSpecial};
  for (u64 bits = 0; bits < u64{1} << 32; bits += 4096 - 1) {
    const float x = ab::bits_float(static_cast<u32>(bits));
    const u32 expected =
        std::isnan(x) ? 0x7fffe000u : numeric::encode(numeric::kTf32, x, kAway) << 13;
    ASSERT_EQ(ab::float_bits(ab::f32_to_tf32(x)), expected) << x;
  }
}

/// Against sums and products that are exact in double.
TEST(Device, PairArithmeticRoundsOnce) {
  struct Form {
    const ElementFormat* format;
    u32 (*fma)(u32, u32, u32);
    u32 (*add)(u32, u32);
    u32 (*sub)(u32, u32);
    u32 (*mul)(u32, u32);
  };
  const Form forms[] = {
      {&numeric::kF16, ab::f16x2_fma, ab::f16x2_add, ab::f16x2_sub, ab::f16x2_mul},
      {&numeric::kBF16, ab::bf16x2_fma, ab::bf16x2_add, ab::bf16x2_sub, ab::bf16x2_mul}};
  for (const Form& form : forms) {
    for (u64 i = 0; i < 300000; ++i) {
      const u32 a = word(3 * i), b = word(3 * i + 1), c = word(3 * i + 2);
      for (const u32 shift : {0u, 16u}) {
        const double x = numeric::decode(*form.format, a >> shift & 0xffff);
        const double y = numeric::decode(*form.format, b >> shift & 0xffff);
        const double z = numeric::decode(*form.format, c >> shift & 0xffff);
        ASSERT_EQ(form.mul(a, b) >> shift & 0xffff, expected_code(*form.format, x * y));
        // Only where the sum fits a double's 53 bits.
        if (std::fabs(x) < std::fabs(y) * 0x1p40 && std::fabs(y) < std::fabs(x) * 0x1p40) {
          ASSERT_EQ(form.add(a, b) >> shift & 0xffff, expected_code(*form.format, x + y));
          ASSERT_EQ(form.sub(a, b) >> shift & 0xffff, expected_code(*form.format, x - y));
        }
        if (std::fabs(x * y) < std::fabs(z) * 0x1p30 && std::fabs(z) < std::fabs(x * y) * 0x1p30) {
          ASSERT_EQ(form.fma(a, b, c) >> shift & 0xffff, expected_code(*form.format, x * y + z));
        }
      }
    }
  }
}

TEST(Device, PairFmaAtTiesWithATinyThird) {
  // 1 + 2^-8 is halfway between bf16 neighbours; a third beyond double's reach decides.
  const auto rounded = [](double tiny) {
    return exact::round_to_ieee<8, 7>(exact::fma_to_odd(0x1p60, 1 + 0x1p-8, tiny)) & 0x7f;
  };
  EXPECT_EQ(rounded(0x1p-100), 1u);
  EXPECT_EQ(rounded(0), 0u);
  EXPECT_EQ(rounded(-0x1p-100), 0u);
  EXPECT_EQ(exact::f16_fma(0x3c00, 0x0001, 0x8001), 0u);  // x - x is +0.
}

TEST(Device, PairComparisonsAndExtremes) {
  const u32 values[] = {0x0000, 0x8000, 0x3c00, 0xbc00, 0x7c00, 0xfc00, 0x7e00, 0x0001, 0x7f81};
  for (const u32 a : values) {
    for (const u32 b : values) {
      const float x = ab::f16_lo_to_f32(a), y = ab::f16_lo_to_f32(b);
      EXPECT_EQ(ab::f16x2_eq(a, b), (x == y ? 0xffffu : 0) | 0xffff0000u);
      EXPECT_EQ(ab::f16x2_ne(a, b), x != y ? 0xffffu : 0);
      EXPECT_EQ(ab::f16x2_lt(a, b), x < y ? 0xffffu : 0);
      EXPECT_EQ(ab::bf16x2_ge(a << 16, b << 16) >> 16,
                ab::bf16_lo_to_f32(a) >= ab::bf16_lo_to_f32(b) ? 0xffffu : 0);
      EXPECT_EQ(ab::f16_lo_to_f32(ab::f16x2_min(a, b)) == std::fmin(x, y),
                !(std::isnan(x) && std::isnan(y)));
      const u32 greatest = ab::f16x2_max_nan(a, b) & 0xffff;
      EXPECT_EQ(greatest == 0x7fff, std::isnan(x) || std::isnan(y));
    }
  }
  EXPECT_EQ(ab::f16x2_neg(0x3c00fe00), 0xbc007e00u);
  EXPECT_EQ(ab::bf16x2_abs(0xbf80ffff), 0x3f807fffu);
  EXPECT_EQ(ab::f16x2_min(0x80000000, 0x00008000), 0x80008000u);
}

TEST(Device, Bits) {
  for (u64 i = 0; i < 20000; ++i) {
    const u32 a = word(5 * i), b = word(5 * i + 1), c = word(5 * i + 2), s = word(5 * i + 3) & 63;
    const u64 both = u64{b} << 32 | a;
    EXPECT_EQ(ab::lop3<0xe8>(a, b, c), (a & b) | (a & c) | (b & c));
    EXPECT_EQ(ab::lop3<0x96>(a, b, c), a ^ b ^ c);
    EXPECT_EQ(ab::lop3<0xca>(a, b, c), (a & b) | (~a & c));
    EXPECT_EQ(ab::prmt(a, b, 0x7531), static_cast<u32>(both >> 8 & 255) | (a >> 24 << 8) |
                                          (b >> 8 & 255) << 16 | b >> 24 << 24);
    EXPECT_EQ(ab::prmt(a, 0, 0xbb88), (a & 0x80 ? 0xffffu : 0) | (a >> 31 ? 0xffff0000u : 0));
    EXPECT_EQ(ab::funnel_right(a, b, s), static_cast<u32>(both >> (s & 31)));
    EXPECT_EQ(ab::funnel_left(a, b, s), static_cast<u32>(both << (s & 31) >> 32));
    const u32 len = word(5 * i + 4) % 40;
    EXPECT_EQ(ab::bit_extract(a, s, len),
              static_cast<u32>((s > 31 ? 0 : u64{a} >> s) & ((u64{1} << len) - 1)));
    // bfe.s32: bit beyond 31 read as bit 31.
    const auto wide = static_cast<int64_t>(static_cast<int32_t>(a)) >> std::min(s, 40u);
    const int64_t field =
        len == 0 ? 0 : static_cast<int64_t>(static_cast<u64>(wide) << (64 - len)) >> (64 - len);
    EXPECT_EQ(ab::bit_extract_signed(a, s, len), static_cast<int32_t>(field)) << s << " " << len;
    const u64 mask = ((u64{1} << len) - 1) << s;
    EXPECT_EQ(ab::bit_insert(a, c, s, len), static_cast<u32>((a & ~mask) | ((u64{c} << s) & mask)));
    EXPECT_EQ(ab::brev(ab::brev(a)), a);
    EXPECT_EQ(ab::brev(1u << (s & 31)), 0x80000000u >> (s & 31));
  }
  EXPECT_EQ(ab::clz(0), 32);
  EXPECT_EQ(ab::popc(0xf0f0), 8);
  EXPECT_EQ(ab::shift_left(1, 32), 0u);
  EXPECT_EQ(ab::shift_right_signed(-5, 99), -1);
  EXPECT_EQ(ab::dot4_s8(0xff02, 0x0203, 10), 10 + 2 * 3 - 2);
  EXPECT_EQ(ab::dot4_u8(0xff02, 0x0203, 10), 10u + 6 + 510);
}

TEST(Device, IntegersAreTotal) {
  const int least = INT32_MIN;
  EXPECT_EQ(ab::div_i32(least, -1), least);
  EXPECT_EQ(ab::rem_i32(least, -1), 0);
  EXPECT_EQ(ab::div_i32(7, 0), -1);
  EXPECT_EQ(ab::rem_u32(7, 0), 7u);
  EXPECT_EQ(ab::div_i32(-7, 2), -3);
  EXPECT_EQ(ab::rem_i32(-7, 2), -1);
  EXPECT_EQ(ab::div_i64(INT64_MIN, -1), INT64_MIN);
  EXPECT_EQ(ab::add_wrap(INT32_MAX, 1), least);
  EXPECT_EQ(ab::abs_i32(least), least);
  EXPECT_EQ(ab::mul_hi(-1, 1), -1);
}

TEST(Device, PhiloxIsBases) {
  u32 words[4];
  ab::philox4x32_10(words, 0x1234567890abcdef, 77, 0xfedcba0987654321);
  const auto expected = Philox(0x1234567890abcdef, 77).words(0xfedcba0987654321);
  for (size_t i = 0; i < 4; ++i) EXPECT_EQ(words[i], expected[i]);
}

}  // namespace
}  // namespace anybit::vm
