#include "anybit/numeric/ggml/internal/scale_search.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "anybit/numeric/ggml/internal/lanes.h"

namespace anybit::numeric::ggml {
namespace {

constexpr int kLanes = 4;

/// Sums over a group of products of w = weight, c = code, x = value.
struct Moments {
  float w = 0, wx = 0;             // Of the values alone.
  float wc = 0, wcc = 0, wcx = 0;  // With codes.
};

template <int Count>
struct Group {
  std::array<F32x4, Count / kLanes> values, weights;

  Group(const float* x, const float* w) {
    for (int64_t i = 0; i < Count / kLanes; ++i) {
      values[i] = load_lanes(x + kLanes * i);
      weights[i] = load_lanes(w + kLanes * i);
    }
  }
};

template <int Count>
using Codes = std::array<F32x4, Count / kLanes>;

template <int Count>
Codes<Count> round_codes(const Group<Count>& group, float inv_scale, float min, float low,
                         float high) {
  Codes<Count> codes;
  for (size_t i = 0; i < codes.size(); ++i) {
    codes[i] = round_lanes(clamp_lanes((group.values[i] - min) * inv_scale, low, high));
  }
  return codes;
}

template <int Count>
void sum_values(const Group<Count>& group, Moments& moments) {
  F32x4 w{}, wx{};
  for (size_t i = 0; i < group.values.size(); ++i) {
    w += group.weights[i];
    wx += group.weights[i] * group.values[i];
  }
  moments.w = sum_of_lanes(w);
  moments.wx = sum_of_lanes(wx);
}

template <int Count>
void sum_codes(const Group<Count>& group, const Codes<Count>& codes, Moments& moments) {
  F32x4 wc{}, wcc{}, wcx{};
  for (size_t i = 0; i < codes.size(); ++i) {
    const F32x4 weighted = group.weights[i] * codes[i];
    wc += weighted;
    wcc += weighted * codes[i];
    wcx += weighted * group.values[i];
  }
  moments.wc = sum_of_lanes(wc);
  moments.wcc = sum_of_lanes(wcc);
  moments.wcx = sum_of_lanes(wcx);
}

template <int Count>
float error_of(const Group<Count>& group, const Codes<Count>& codes, AffineFit fit, bool absolute) {
  F32x4 sum{};
  for (size_t i = 0; i < codes.size(); ++i) {
    const F32x4 error = fit.scale * codes[i] + fit.min - group.values[i];
    sum += group.weights[i] * (absolute ? abs_lanes(error) : error * error);
  }
  return sum_of_lanes(sum);
}

/// The weighted least-squares line through (code, value); its min is at most 0.
/// Returns false if the codes are all the same.
bool fit_line(const Moments& m, AffineFit& fit) {
  const float determinant = m.w * m.wcc - m.wc * m.wc;
  if (!(determinant > 0)) return false;
  fit.scale = (m.w * m.wcx - m.wx * m.wc) / determinant;
  fit.min = (m.wcc * m.wx - m.wc * m.wcx) / determinant;
  if (fit.min > 0) fit = {m.wcx / m.wcc, 0};
  return true;
}

/// The value of the largest magnitude, the first of equals.
float extreme(const float* values, int count) {
  float best = 0;
  for (int64_t i = 0; i < count; ++i) {
    if (std::fabs(values[i]) > std::fabs(best)) best = values[i];
  }
  return best;
}

/// Groups below this are stored as zeros.
constexpr float kLeastExtreme = 1e-15f;

float rounded(float value, float low, float high) {
  constexpr float kMagic = 0x1.8p23f;  // At this size the least step is 1.
  return (std::min(high, std::max(low, value)) + kMagic) - kMagic;
}

/// Codes of a group and the sums that their best scale, wcx / wcc, follows from.
struct Descent {
  std::array<float, 32> codes;
  float wcx = 0, wcc = 0;

  /// Moves the code of value x (weight w) to the nearest under the best scale of the others, if
  /// that raises wcx^2 / wcc: the part of the weighted sum of squares that the codes explain.
  bool improve(int64_t i, float x, float w, float low, float high) {
    const float code = codes[i];
    const float others_wcx = wcx - w * x * code;
    const float others_wcc = wcc - w * code * code;
    if (others_wcx == 0 || !(others_wcc > 0)) return false;
    const float moved = rounded(x * others_wcc / others_wcx, low, high);
    if (moved == code) return false;
    const float moved_wcx = others_wcx + w * x * moved;
    const float moved_wcc = others_wcc + w * moved * moved;
    if (!(moved_wcx * moved_wcx * wcc > wcx * wcx * moved_wcc)) return false;
    codes[i] = moved;
    wcx = moved_wcx;
    wcc = moved_wcc;
    return true;
  }
};

constexpr int kMaxSweeps = 5;

}  // namespace

float unit_of(const float* values, int64_t count) {
  float amax = 0;
  for (int64_t i = 0; i < count; ++i) amax = std::max(amax, std::fabs(values[i]));
  if (amax == 0) return 1;
  int exponent;
  std::frexp(amax, &exponent);
  return std::ldexp(1.0f, std::max(exponent - 1, -126));
}

template <int Count>
AffineFit search_affine(const float* values, const float* weights, int max_code,
                        const AffineSearch& search) {
  const Group<Count> group(values, weights);
  const auto [least, most] = std::minmax_element(values, values + Count);
  const float max = *most;
  AffineFit best{0, std::min(*least, 0.0f)};
  if (max <= best.min) return best;
  const auto highest = static_cast<float>(max_code);
  Moments moments;
  sum_values(group, moments);
  best.scale = (max - best.min) / highest;
  float best_error = error_of(group, round_codes(group, 1 / best.scale, best.min, 0, highest), best,
                              search.absolute_error);
  for (int64_t i = 0; i <= search.num_steps; ++i) {
    const float span = search.first + search.step * static_cast<float>(i) + highest;
    const Codes<Count> codes = round_codes(group, span / (max - best.min), best.min, 0, highest);
    sum_codes(group, codes, moments);
    AffineFit fit;
    if (!fit_line(moments, fit)) continue;
    const float error = error_of(group, codes, fit, search.absolute_error);
    if (error < best_error) {
      best_error = error;
      best = fit;
    }
  }
  return best;
}

template <int Count>
float search_symmetric(const float* values, const float* weights, int num_negative) {
  const float largest = extreme(values, Count);
  if (std::fabs(largest) < kLeastExtreme) return 0;
  const Group<Count> group(values, weights);
  const auto low = static_cast<float>(-num_negative), high = static_cast<float>(num_negative - 1);
  float best_scale = 0, best_explained = 0;
  constexpr std::array<int, 19> kTenths = {0, -9, -8, -7, -6, -5, -4, -3, -2, -1,
                                           1, 2,  3,  4,  5,  6,  7,  8,  9};
  for (const int tenths : kTenths) {
    const float inv_scale = (low - 0.1f * static_cast<float>(tenths)) / largest;
    Moments moments;
    sum_codes(group, round_codes(group, inv_scale, 0, low, high), moments);
    if (moments.wcc > 0 && moments.wcx * moments.wcx > best_explained * moments.wcc) {
      best_scale = moments.wcx / moments.wcc;
      best_explained = best_scale * moments.wcx;
    }
  }
  return best_scale;
}

template AffineFit search_affine<16>(const float*, const float*, int, const AffineSearch&);
template AffineFit search_affine<32>(const float*, const float*, int, const AffineSearch&);
template float search_symmetric<16>(const float*, const float*, int);
template float search_symmetric<32>(const float*, const float*, int);

float search_positive(const float* values, const float* weights, int count, int max_code) {
  const float largest = *std::max_element(values, values + count);
  if (largest < kLeastExtreme) return 0;
  const auto highest = static_cast<float>(max_code);
  float best_span = highest, best_error = INFINITY;
  for (const int tenths : {0, -4, -3, -2, -1, 1, 2, 3, 4}) {
    const float span = highest + 0.1f * static_cast<float>(tenths);
    float error = 0;
    for (int64_t i = 0; i < count; ++i) {
      const float difference =
          values[i] - rounded(values[i] * (span / largest), 0, highest) * (largest / span);
      error += weights[i] * difference * difference;
    }
    if (error < best_error) {
      best_error = error;
      best_span = span;
    }
  }
  Descent descent;
  for (int64_t i = 0; i < count; ++i) {
    const float code = rounded(values[i] * (best_span / largest), 0, highest);
    descent.codes[i] = code;
    descent.wcx += weights[i] * values[i] * code;
    descent.wcc += weights[i] * code * code;
  }
  bool changed = true;
  for (int64_t sweep = 0; sweep < kMaxSweeps && changed; ++sweep) {
    changed = false;
    for (int64_t i = 0; i < count; ++i) {
      changed |= descent.improve(i, values[i], weights[i], 0, highest);
    }
  }
  return descent.wcc > 0 ? descent.wcx / descent.wcc : largest / highest;
}

void encode_codes(const float* values, int count, AffineFit fit, int low, int high, float* codes) {
  const float inv_scale = fit.scale == 0 ? 0 : 1 / fit.scale;
  for (int64_t i = 0; i < count; i += kLanes) {
    const F32x4 exact = (load_lanes(values + i) - fit.min) * inv_scale;
    store_lanes(codes + i,
                round_lanes(clamp_lanes(exact, static_cast<float>(low), static_cast<float>(high))));
  }
}

}  // namespace anybit::numeric::ggml
