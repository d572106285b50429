#include "anybit/vm/exact_math.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "anybit/base/philox.h"

namespace anybit::vm {
namespace {

/// One elementary function, its double reference and the error the header promises.
struct Elementary {
  const char* name;
  float (*function)(float);
  double (*reference)(double);
  double units;  // In the last place.
};

const Elementary kElementary[] = {
    {"exp2", exact::exp2, std::exp2, 1},
    {"exp", exact::exp, std::exp, 1},
    {"log2", exact::log2, std::log2, 1},
    {"log", exact::log, std::log, 1},
    {"sin", exact::sin, std::sin, 2},
    {"cos", exact::cos, std::cos, 2},
    {"tanh", exact::tanh, std::tanh, 2},
    {"erf", exact::erf, std::erf, 2},
    {"rsqrt", exact::rsqrt, [](double x) { return 1 / std::sqrt(x); }, 2},
};

/// The distance in units in the last place of the float at `reference`; infinite if one is NaN or
/// infinite and the other is not the same.
double error_in_units(float value, double reference) {
  const float rounded = static_cast<float>(reference);
  if (std::isnan(rounded) || std::isinf(rounded) || !std::isfinite(value)) {
    const bool same =
        std::isnan(rounded) ? exact::float_bits(value) == 0x7fffffff : value == rounded;
    return same ? 0 : INFINITY;
  }
  int exponent = 0;
  std::frexp(reference, &exponent);
  return std::fabs(value - reference) / std::ldexp(1.0, std::max(exponent - 24, -149));
}

TEST(ExactMath, ElementaryFunctionsKeepTheirErrors) {
  for (const Elementary& row : kElementary) {
    double worst = 0;
    unsigned worst_bits = 0;
    for (uint64_t bits = 0; bits < uint64_t{1} << 32; bits += 1009) {
      const float x = exact::bits_float(static_cast<unsigned>(bits));
      const double error = error_in_units(row.function(x), row.reference(x));
      if (error > worst) {
        worst = error;
        worst_bits = static_cast<unsigned>(bits);
      }
    }
    EXPECT_LE(worst, row.units) << row.name << " at " << exact::bits_float(worst_bits);
    EXPECT_GT(worst, 0.4) << row.name << ": nothing was measured";
  }
}

TEST(ExactMath, EdgesOfTheElementaryFunctions) {
  const float inf = INFINITY;
  EXPECT_EQ(exact::exp2(128), inf);
  EXPECT_EQ(exact::exp2(-149), 0x1p-149f);
  EXPECT_EQ(exact::exp2(-150), 0);
  EXPECT_EQ(exact::exp2(10), 1024);
  EXPECT_EQ(exact::exp(-inf), 0);
  EXPECT_EQ(exact::exp(0), 1);
  EXPECT_EQ(exact::log(1), 0);
  EXPECT_EQ(exact::log2(0x1p-149f), -149);
  EXPECT_EQ(exact::log(0), -inf);
  EXPECT_TRUE(std::isnan(exact::log(-1)));
  EXPECT_TRUE(std::isnan(exact::sin(inf)));
  EXPECT_TRUE(std::signbit(exact::sin(-0.0f)));
  EXPECT_EQ(exact::tanh(100), 1);
  EXPECT_EQ(exact::erf(-inf), -1);
  EXPECT_EQ(exact::rsqrt(-0.0f), -inf);
}

TEST(ExactMath, LargeAnglesAgreeWithLongDouble) {
  for (int i = 0; i < 200000; ++i) {
    const auto bits = static_cast<unsigned>(Philox(1).bits64(i) % 0x7f800000u);
    const float x = exact::bits_float(std::max(bits, 0x47000000u));
    ASSERT_LE(error_in_units(exact::sin(x), static_cast<double>(sinl(x))), 2) << x;
    ASSERT_LE(error_in_units(exact::cos(x), static_cast<double>(cosl(x))), 2) << x;
  }
}

TEST(ExactMath, EveryNanResultIsCanonical) {
  const float signaling = exact::bits_float(0xff812345);
  for (const Elementary& row : kElementary) {
    EXPECT_EQ(exact::float_bits(row.function(signaling)), 0x7fffffffu) << row.name;
  }
  using Binary = float (*)(float, float);
  for (const Binary binary : {Binary{exact::add}, Binary{exact::sub}, Binary{exact::mul},
                              Binary{exact::div}, Binary{exact::min_nan}, Binary{exact::max_nan}}) {
    EXPECT_EQ(exact::float_bits(binary(signaling, 1)), 0x7fffffffu);
    EXPECT_EQ(exact::float_bits(binary(1, signaling)), 0x7fffffffu);
  }
  EXPECT_EQ(exact::float_bits(exact::fma(INFINITY, 0, 1)), 0x7fffffffu);
  EXPECT_EQ(exact::float_bits(exact::sub(INFINITY, INFINITY)), 0x7fffffffu);
  EXPECT_EQ(exact::float_bits(exact::sqrt(-1)), 0x7fffffffu);
  EXPECT_EQ(exact::float_bits(exact::rint(signaling)), 0x7fffffffu);
}

TEST(ExactMath, MinimumAndMaximum) {
  EXPECT_EQ(exact::min(NAN, 3), 3);
  EXPECT_EQ(exact::max(3, NAN), 3);
  EXPECT_TRUE(std::signbit(exact::min(0.0f, -0.0f)));
  EXPECT_TRUE(std::signbit(exact::min(-0.0f, 0.0f)));
  EXPECT_FALSE(std::signbit(exact::max(-0.0f, 0.0f)));
  EXPECT_EQ(exact::min(2, 1), 1);
  EXPECT_EQ(exact::max_nan(2, 1), 2);
}

TEST(ExactMath, ConversionsToIntegersSaturate) {
  EXPECT_EQ(exact::f32_to_i32_rz(-1.9f), -1);
  EXPECT_EQ(exact::f32_to_i32_rn(2.5f), 2);
  EXPECT_EQ(exact::f32_to_i32_rn(3.5f), 4);
  EXPECT_EQ(exact::f32_to_i32_rz(3e9f), INT32_MAX);
  EXPECT_EQ(exact::f32_to_i32_rz(-INFINITY), INT32_MIN);
  EXPECT_EQ(exact::f32_to_i32_rz(NAN), 0);
  EXPECT_EQ(exact::f32_to_u32_rz(-5), 0u);
  EXPECT_EQ(exact::f32_to_u32_rz(3e9f), 3000000000u);
  EXPECT_EQ(exact::f32_to_u32_rn(1e20f), UINT32_MAX);
  EXPECT_EQ(exact::f32_to_i64_rz(1e30f), INT64_MAX);
  EXPECT_EQ(exact::f32_to_i64_rn(NAN), 0);
  EXPECT_EQ(exact::f32_to_i64_rz(-1e10f), -10000000000);
}

}  // namespace
}  // namespace anybit::vm
