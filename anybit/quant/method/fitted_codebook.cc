#include "anybit/quant/method/fitted_codebook.h"

#include <algorithm>
#include <numeric>

#include "anybit/base/check.h"

namespace anybit::quant {
namespace {

constexpr int kMaxRounds = 100;

// Samples in ascending order with running sums, so that a cell's centroid takes two look-ups.
struct SortedSamples {
  std::vector<float> values;
  std::vector<double> weight_sums;  // [n + 1]: sum of the weights of the first i samples.
  std::vector<double> value_sums;   // [n + 1]: likewise of weight * value.

  SortedSamples(std::span<const float> samples, std::span<const float> weights) {
    std::vector<size_t> order(samples.size());
    std::iota(order.begin(), order.end(), size_t{0});
    std::ranges::sort(order, {}, [&](size_t i) { return samples[i]; });
    weight_sums.push_back(0);
    value_sums.push_back(0);
    for (const size_t i : order) {
      const double weight = weights.empty() ? 1.0 : weights[i];
      values.push_back(samples[i]);
      weight_sums.push_back(weight_sums.back() + weight);
      value_sums.push_back(value_sums.back() + weight * samples[i]);
    }
  }

  double centroid(size_t begin, size_t end, double otherwise) const {
    const double weight = weight_sums[end] - weight_sums[begin];
    return weight > 0 ? (value_sums[end] - value_sums[begin]) / weight : otherwise;
  }
};

}  // namespace

std::vector<float> fit_codebook(std::span<const float> samples, std::span<const float> weights,
                                int size) {
  ANYBIT_CHECK(size >= 1 && !samples.empty());
  ANYBIT_CHECK(weights.empty() || weights.size() == samples.size());
  const SortedSamples sorted(samples, weights);
  const size_t count = sorted.values.size();
  const auto entries = static_cast<size_t>(size);
  std::vector<double> centers(entries);
  for (size_t i = 0; i < entries; ++i) {
    centers[i] = sorted.values[(2 * i + 1) * count / (2 * entries)];
  }
  for (int round = 0; round < kMaxRounds; ++round) {
    bool moved = false;
    size_t begin = 0;
    for (size_t i = 0; i < entries; ++i) {
      size_t end = count;
      if (i + 1 < entries) {
        const double boundary = (centers[i] + centers[i + 1]) / 2;
        const auto found = std::upper_bound(
            sorted.values.begin() + static_cast<ptrdiff_t>(begin), sorted.values.end(), boundary,
            [](double limit, float value) { return limit < value; });
        end = static_cast<size_t>(found - sorted.values.begin());
      }
      const double center = sorted.centroid(begin, end, centers[i]);
      moved = moved || static_cast<float>(center) != static_cast<float>(centers[i]);
      centers[i] = center;
      begin = end;
    }
    std::ranges::sort(centers);
    if (!moved) break;
  }
  return {centers.begin(), centers.end()};
}

}  // namespace anybit::quant
