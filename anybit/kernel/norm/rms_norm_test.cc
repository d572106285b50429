#include "anybit/kernel/norm/rms_norm.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "anybit/base/philox.h"

namespace anybit::kernel {
namespace {

std::vector<float> normals(int64_t count, uint64_t seed, float scale = 1) {
  std::vector<float> x(count);
  for (int64_t i = 0; i < count; ++i) x[i] = scale * static_cast<float>(Philox(seed).normal(i));
  return x;
}

/// Relative error of the vector forms in units of 2^-24. Sum of squares: every element goes through
/// at most row_size / 32 + 3 additions in a lane (a lane takes a whole vector of every four, the
/// rest goes to the first two accumulators) and 5 in the tree; all terms are positive, so errors
/// add relatively. Halved by the root; then division, + eps, root, reciprocal, two products, 1 +
/// weight.
double relative_tolerance(int64_t row_size) {
  const double additions = static_cast<double>(row_size) / 32 + 8;
  return (additions / 2 + 7) * 0x1p-24;
}

TEST(RmsNorm, VariantsAgreeWithTheReference) {
  for (const int64_t row_size : {1, 3, 8, 15, 16, 31, 64, 80, 96, 100, 128, 576, 1000, 4096}) {
    for (const bool adds_one : {false, true}) {
      for (const float scale : {1e-4f, 1.0f, 300.0f}) {
        const std::vector<float> x = normals(row_size, 1, scale), weight = normals(row_size, 2);
        const RmsNormParameters parameters = {.eps = 1e-6f, .adds_one_to_weight = adds_one};
        std::vector<float> exact(row_size), y(row_size);
        rms_norm_variants().back().function(x.data(), weight.data(), row_size, parameters,
                                            exact.data());
        for (const auto& variant : rms_norm_variants()) {
          if (!variant.runs_on(CpuFeatures::host())) continue;
          variant.function(x.data(), weight.data(), row_size, parameters, y.data());
          for (int64_t i = 0; i < row_size; ++i) {
            ASSERT_NEAR(y[i], exact[i], relative_tolerance(row_size) * std::abs(exact[i]) + 1e-37)
                << variant.name << " row_size " << row_size << " element " << i;
          }
        }
      }
    }
  }
}

TEST(RmsNorm, ReferenceIsTheFormula) {
  const float x[] = {3, -4, 0, 12}, weight[] = {1, 2, 3, -1};
  float y[4];
  // mean of squares: 169 / 4; plus eps 0.75 = 43, of which the root is 6.557438524302.
  rms_norm_variants().back().function(x, weight, 4, {.eps = 0.75f}, y);
  const double rms = std::sqrt(43.0);
  EXPECT_FLOAT_EQ(y[0], static_cast<float>(3 / rms));
  EXPECT_FLOAT_EQ(y[1], static_cast<float>(-8 / rms));
  EXPECT_FLOAT_EQ(y[2], 0);
  EXPECT_FLOAT_EQ(y[3], static_cast<float>(-12 / rms));
  rms_norm_variants().back().function(x, weight, 4, {.eps = 0.75f, .adds_one_to_weight = true}, y);
  EXPECT_FLOAT_EQ(y[1], static_cast<float>(-12 / rms));
  rms_norm_variants().back().function(x, nullptr, 4, {.eps = 0.75f}, y);
  EXPECT_FLOAT_EQ(y[1], static_cast<float>(-4 / rms));
}

TEST(RmsNorm, RowsDependNeitherOnEachOtherNorOnThreads) {
  constexpr int64_t kRows = 200, kSize = 576;
  const std::vector<float> x = normals(kRows * kSize, 5), weight = normals(kSize, 6);
  std::vector<float> one(x.size()), three(x.size()), in_place = x, single(kSize);
  rms_norm(x.data(), weight.data(), kRows, kSize, {}, one.data(), {1});
  rms_norm(x.data(), weight.data(), kRows, kSize, {}, three.data(), {3});
  rms_norm(in_place.data(), weight.data(), kRows, kSize, {}, in_place.data(), {2});
  EXPECT_EQ(one, three);
  EXPECT_EQ(one, in_place);
  rms_norm(x.data() + 7 * kSize, weight.data(), 1, kSize, {}, single.data(), {1});
  EXPECT_TRUE(std::equal(single.begin(), single.end(), one.begin() + 7 * kSize));
}

TEST(RmsNorm, HeadsOfStridedTokens) {
  constexpr int64_t kTokens = 9, kHeads = 3, kHeadDim = 20, kStride = kHeads * kHeadDim + 11;
  std::vector<float> x = normals(kTokens * kStride, 8);
  const std::vector<float> before = x, weight = normals(kHeadDim, 9);
  rms_norm_heads(x.data(), weight.data(), kTokens, kHeads, kHeadDim, kStride, {}, {2});
  for (int64_t token = 0; token < kTokens; ++token) {
    const float* row = before.data() + token * kStride;
    std::vector<float> expected(kHeads * kHeadDim);
    rms_norm(row, weight.data(), kHeads, kHeadDim, {}, expected.data(), {1});
    expected.insert(expected.end(), row + kHeads * kHeadDim, row + kStride);  // The gap stays.
    EXPECT_TRUE(std::equal(expected.begin(), expected.end(), x.begin() + token * kStride)) << token;
  }
}

TEST(RmsNorm, SpecialValues) {
  for (const auto& variant : rms_norm_variants()) {
    if (!variant.runs_on(CpuFeatures::host())) continue;
    std::vector<float> x(20, 1.0f), y(20);
    x[17] = std::nanf("");
    variant.function(x.data(), nullptr, 20, {}, y.data());
    EXPECT_TRUE(std::isnan(y[17]) && std::isnan(y[0])) << variant.name;
    x[17] = -std::numeric_limits<float>::infinity();
    variant.function(x.data(), nullptr, 20, {}, y.data());
    EXPECT_TRUE(std::isnan(y[17])) << variant.name;
    std::fill(x.begin(), x.end(), 0.0f);
    variant.function(x.data(), nullptr, 20, {}, y.data());
    EXPECT_EQ(y, x) << variant.name;
  }
}

}  // namespace
}  // namespace anybit::kernel
