#include "anybit/quant/method/fitted_codebook.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "anybit/base/philox.h"

namespace anybit::quant {
namespace {

double mean_squared_distance(std::span<const float> samples, std::span<const float> codebook) {
  double sum = 0;
  for (const float x : samples) {
    double least = INFINITY;
    for (const float c : codebook) least = std::min(least, std::pow(double{x} - c, 2));
    sum += least;
  }
  return sum / static_cast<double>(samples.size());
}

TEST(FitCodebook, FindsSeparatedClusters) {
  std::vector<float> samples;
  for (const float center : {-3.0f, 0.0f, 1.0f, 8.0f}) {
    for (const float offset : {-0.1f, 0.0f, 0.1f}) samples.push_back(center + offset);
  }
  const std::vector<float> codebook = fit_codebook(samples, {}, 4);
  const float expected[] = {-3, 0, 1, 8};
  for (size_t i = 0; i < 4; ++i) EXPECT_NEAR(codebook[i], expected[i], 1e-6) << i;
}

// Max 1960, "Quantizing for minimum distortion", table I: the optimal 8-level quantizer of a unit
// normal has a mean squared error of 0.03454, the 4-level one 0.1175.
TEST(FitCodebook, ReachesTheLloydMaxDistortionOfANormal) {
  const Philox random(5);
  std::vector<float> samples(200000);
  for (size_t i = 0; i < samples.size(); ++i) samples[i] = static_cast<float>(random.normal(i));
  EXPECT_NEAR(mean_squared_distance(samples, fit_codebook(samples, {}, 4)), 0.1175, 0.0012);
  EXPECT_NEAR(mean_squared_distance(samples, fit_codebook(samples, {}, 8)), 0.03454, 0.0005);
}

TEST(FitCodebook, WeightsPullEntries) {
  const std::vector<float> samples = {0, 1};
  const std::vector<float> weights = {3, 1};
  EXPECT_NEAR(fit_codebook(samples, weights, 1)[0], 0.25f, 1e-6);
}

TEST(FitCodebook, FewerSamplesThanEntriesStillAscends) {
  const std::vector<float> samples = {2, -1};
  const std::vector<float> codebook = fit_codebook(samples, {}, 8);
  EXPECT_EQ(codebook.size(), 8u);
  EXPECT_TRUE(std::ranges::is_sorted(codebook));
  EXPECT_EQ(mean_squared_distance(samples, codebook), 0);
}

}  // namespace
}  // namespace anybit::quant
