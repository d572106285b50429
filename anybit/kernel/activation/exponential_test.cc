#include "anybit/kernel/activation/exponential.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <vector>

namespace anybit::kernel {
namespace {

/// The distance of two f32 neighbours at `exact`.
double ulp(double exact) {
  if (exact == 0) return 0x1p-149;
  return std::max(0x1p-149, std::ldexp(1.0, std::ilogb(exact) - 23));
}

// Every 251st float of both signs, 3 million values: all exponents, dense in mantissas.
TEST(Exponential, IsWithinTwoUlp) {
  constexpr uint32_t kStep = 251;
  constexpr int64_t kBatch = 1 << 16;
  std::vector<float> x(kBatch), y(kBatch);
  for (const auto& variant : exponential_variants()) {
    if (!variant.runs_on(CpuFeatures::host())) continue;
    double worst = 0;
    float worst_x = 0;
    // Magnitudes from 2^-40 (below, exp is 1) to 120 (above, infinity or 0).
    for (uint64_t bits = std::bit_cast<uint32_t>(0x1p-40f); bits < std::bit_cast<uint32_t>(120.0f);
         bits += kStep * kBatch / 2) {
      for (int64_t i = 0; i < kBatch; ++i) {
        const auto magnitude = std::bit_cast<float>(static_cast<uint32_t>(bits + i / 2 * kStep));
        x[i] = i % 2 ? -magnitude : magnitude;
      }
      variant.function(x.data(), kBatch, y.data());
      for (int64_t i = 0; i < kBatch; ++i) {
        const double exact = std::exp(double{x[i]});
        if (exact > std::numeric_limits<float>::max()) {
          if (exact < 0x1.000001p128) continue;  // Either neighbour is right.
          ASSERT_EQ(y[i], std::numeric_limits<float>::infinity()) << variant.name << " " << x[i];
          continue;
        }
        const double error = std::abs(y[i] - exact) / ulp(exact);
        if (error > worst) {
          worst = error;
          worst_x = x[i];
        }
      }
    }
    EXPECT_LE(worst, 2) << variant.name << " at " << worst_x;
    RecordProperty(std::string(variant.name) + "_worst_ulp", std::to_string(worst));
  }
}

TEST(Exponential, SpecialValues) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const float x[] = {kInfinity, -kInfinity, std::nanf(""), 0.0f,   -0.0f,
                     1000,      -1000,      88.8f,         -104.1f};
  float y[std::size(x)];
  for (const auto& variant : exponential_variants()) {
    if (!variant.runs_on(CpuFeatures::host())) continue;
    variant.function(x, std::size(x), y);
    EXPECT_EQ(y[0], kInfinity) << variant.name;
    EXPECT_EQ(y[1], 0) << variant.name;
    EXPECT_TRUE(std::isnan(y[2])) << variant.name;
    EXPECT_EQ(y[3], 1) << variant.name;
    EXPECT_EQ(y[4], 1) << variant.name;
    EXPECT_EQ(y[5], kInfinity) << variant.name;
    EXPECT_EQ(y[6], 0) << variant.name;
    EXPECT_EQ(y[7], kInfinity) << variant.name;
    EXPECT_EQ(y[8], 0) << variant.name;
  }
}

TEST(Exponential, EveryLengthStaysInItsBounds) {
  for (const auto& variant : exponential_variants()) {
    if (!variant.runs_on(CpuFeatures::host())) continue;
    for (int64_t count = 0; count < 40; ++count) {
      std::vector<float> x(count + 1, 0.5f);
      x[count] = -7;
      variant.function(x.data(), count, x.data());
      for (int64_t i = 0; i < count; ++i) {
        ASSERT_NEAR(x[i], std::exp(0.5), 2 * ulp(1.6)) << variant.name << " " << count;
      }
      ASSERT_EQ(x[count], -7) << variant.name << " wrote past " << count;
    }
  }
}

}  // namespace
}  // namespace anybit::kernel
