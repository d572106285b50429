#include "anybit/kernel/softmax/softmax.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "anybit/base/philox.h"

namespace anybit::kernel {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr int64_t kSizes[] = {1, 2, 7, 8, 9, 16, 17, 63, 100, 1000, 49152};

std::vector<float> normals(int64_t count, uint64_t seed, float scale) {
  std::vector<float> x(count);
  for (int64_t i = 0; i < count; ++i) x[i] = scale * static_cast<float>(Philox(seed).normal(i));
  return x;
}

/// Relative error of a probability. The transform rounds a score t to |t| 2^-24 (scale), with a cap
/// to |t| (1 + 8 + 2) 2^-24 (quotient and tanh of 4 ulp of 2^-23, product), and the difference to
/// the largest once more: an absolute error of the exponent, of the element and of the largest
/// (whose effect cancels between numerator and sum only if exact). Then exp (2 ulp of 2^-23), the
/// sum (as many additions in a lane as vectors of 8, and 3; positive terms), reciprocal, product.
double relative_tolerance(const std::vector<float>& x, const LogitTransform& transform) {
  double largest = 0;
  for (const float v : x) {
    if (std::isfinite(v)) largest = std::max(largest, std::abs(double{v}) * transform.scale);
  }
  const double steps = transform.soft_cap > 0 ? 11 : 1;
  const double exponent = 2 * (steps + 2) * largest * 0x1p-24;
  return exponent + (2 * 4 + static_cast<double>(x.size()) / 8 + 3 + 3) * 0x1p-24;
}

TEST(Softmax, VariantsAgreeWithTheReference) {
  for (const int64_t size : kSizes) {
    for (const LogitTransform transform :
         {LogitTransform{}, LogitTransform{.scale = 0.125f}, LogitTransform{.soft_cap = 30},
          LogitTransform{.scale = 2, .soft_cap = 5}}) {
      const std::vector<float> x = normals(size, size, 8);
      std::vector<float> exact(size), y(size);
      softmax_variants().back().function->softmax(x.data(), size, transform, exact.data());
      const double tolerance = relative_tolerance(x, transform);
      for (const auto& variant : softmax_variants()) {
        if (!variant.runs_on(CpuFeatures::host())) continue;
        variant.function->softmax(x.data(), size, transform, y.data());
        for (int64_t i = 0; i < size; ++i) {
          ASSERT_NEAR(y[i], exact[i], tolerance * exact[i] + 1e-37)
              << variant.name << " size " << size << " element " << i;
        }
      }
    }
  }
}

TEST(Softmax, ReferenceIsTheDefinition) {
  const float x[] = {0, std::log(2.0f), std::log(5.0f)};
  float y[3];
  softmax_variants().back().function->softmax(x, 3, {}, y);
  EXPECT_NEAR(y[0], 0.125, 1e-7);
  EXPECT_NEAR(y[1], 0.25, 1e-7);
  EXPECT_NEAR(y[2], 0.625, 1e-7);
  // Capped at 1, scores far apart become -1 and 1.
  const float far[] = {-1000, 1000};
  softmax_variants().back().function->softmax(far, 2, {.soft_cap = 1}, y);
  EXPECT_NEAR(y[1], 1 / (1 + std::exp(-2.0)), 1e-7);
}

TEST(Softmax, SpecialValues) {
  for (const auto& variant : softmax_variants()) {
    if (!variant.runs_on(CpuFeatures::host())) continue;
    for (const int64_t size : {3, 8, 21}) {
      std::vector<float> x(size, -kInfinity), y(size);
      x[size - 1] = 4;
      variant.function->softmax(x.data(), size, {}, y.data());
      for (int64_t i = 0; i < size; ++i) EXPECT_EQ(y[i], i == size - 1) << variant.name << i;
      EXPECT_EQ(variant.function->log_sum_exp(x.data(), size), 4) << variant.name;
      for (const float bad : {-kInfinity, kInfinity, std::nanf("")}) {
        x[size - 1] = bad;
        variant.function->softmax(x.data(), size, {}, y.data());
        for (int64_t i = 0; i < size; ++i) EXPECT_TRUE(std::isnan(y[i])) << variant.name << bad;
        EXPECT_TRUE(std::isnan(variant.function->log_sum_exp(x.data(), size))) << variant.name;
      }
    }
  }
}

TEST(Softmax, RowsDependNeitherOnEachOtherNorOnThreads) {
  constexpr int64_t kRows = 37, kSize = 1001;
  const std::vector<float> x = normals(kRows * kSize, 4, 3);
  std::vector<float> one(x.size()), in_place = x, single(kSize);
  softmax(x.data(), kRows, kSize, {.scale = 0.5f}, one.data(), {1});
  softmax(in_place.data(), kRows, kSize, {.scale = 0.5f}, in_place.data(), {3});
  EXPECT_EQ(one, in_place);
  softmax(x.data() + 5 * kSize, 1, kSize, {.scale = 0.5f}, single.data(), {1});
  EXPECT_TRUE(std::equal(single.begin(), single.end(), one.begin() + 5 * kSize));
}

// tanh to 4 ulp, quotient and product half an ulp each; an ulp is at most 2^-23 of the value. The
// quotient's error reaches the result damped, since |x tanh'(x)| <= |tanh x|.
TEST(SoftCap, IsAccurateEverywhere) {
  std::vector<float> x;
  for (double v = 1e-12; v < 1e6; v *= 1.0003) {
    x.push_back(static_cast<float>(v));
    x.push_back(static_cast<float>(-v));
  }
  x.insert(x.end(), {0, kInfinity, -kInfinity});
  const auto size = static_cast<int64_t>(x.size());
  std::vector<float> y(size);
  for (const auto& variant : softmax_variants()) {
    if (!variant.runs_on(CpuFeatures::host())) continue;
    variant.function->soft_cap(x.data(), size, 30, y.data());
    for (int64_t i = 0; i < size; ++i) {
      const double exact = 30 * std::tanh(x[i] / 30.0);
      ASSERT_NEAR(y[i], exact, 5 * 0x1p-23 * std::abs(exact)) << variant.name << " " << x[i];
    }
    const float nan = std::nanf("");
    variant.function->soft_cap(&nan, 1, 30, y.data());
    EXPECT_TRUE(std::isnan(y[0])) << variant.name;
  }
  std::vector<float> threaded = x;
  apply_soft_cap(threaded.data(), size, 30, {3});
  best_variant(softmax_variants(), CpuFeatures::host())->soft_cap(x.data(), size, 30, y.data());
  EXPECT_EQ(threaded, y);
}

// Each term is off by 2 ulp of 2^-23, and by t 2^-24 for the rounding of t = |x - m|, at most 60
// here. Relative errors of positive terms bound that of the sum: the absolute error of its
// logarithm.
TEST(LogSumExp, IsAccurateToFourInAMillion) {
  for (const int64_t size : kSizes) {
    const std::vector<float> x = normals(size, 90 + size, 6);
    double exact = 0;
    for (const float v : x) exact += std::exp(double{v});
    exact = std::log(exact);
    for (const auto& variant : softmax_variants()) {
      if (!variant.runs_on(CpuFeatures::host())) continue;
      const double tolerance = 4 * 0x1p-23 + 60 * 0x1p-24;
      EXPECT_NEAR(variant.function->log_sum_exp(x.data(), size), exact, tolerance) << variant.name;
    }
  }
}

TEST(LogSumExp, GivesLikelihoodsAndLogProbabilities) {
  const std::vector<float> x = normals(1000, 17, 5);
  std::vector<float> probabilities(1000), logs(1000);
  softmax(x.data(), 1, 1000, {}, probabilities.data(), {1});
  log_softmax(x.data(), 1000, logs.data());
  double total = 0;
  for (int64_t i = 0; i < 1000; ++i) {
    const double nll = negative_log_likelihood(x.data(), 1000, i);
    EXPECT_NEAR(std::exp(-nll), probabilities[i], 1e-4 * probabilities[i]);
    EXPECT_EQ(logs[i], static_cast<float>(x[i] - log_sum_exp(x.data(), 1000)));
    total += std::exp(-nll);
  }
  EXPECT_NEAR(total, 1, 64 * 0x1p-24);  // The error of the normalizer above.
}

}  // namespace
}  // namespace anybit::kernel
