#include "anybit/quant/method/internal/scale_choice.h"

#include <algorithm>
#include <cmath>
#include <complex>

#include "anybit/base/check.h"
#include "anybit/quant/method/internal/cell.h"

namespace anybit::quant::internal {
namespace {

using numeric::ElementKind;

// Ternary Weight Networks: values below this fraction of the mean magnitude become 0.
constexpr double kTernaryThreshold = 0.7;

double mean_magnitude_above(std::span<const float> group, double threshold) {
  double sum = 0;
  int64_t count = 0;
  for (const float x : group) {
    if (std::abs(x) > threshold) {
      sum += std::abs(x);
      ++count;
    }
  }
  return count == 0 ? 0 : sum / static_cast<double>(count);
}

double mean_magnitude(std::span<const float> group) {
  double sum = 0;
  for (const float x : group) sum += std::abs(x);
  return group.empty() ? 0 : sum / static_cast<double>(group.size());
}

double root_mean_square(std::span<const float> group) {
  double sum = 0;
  for (const float x : group) sum += double{x} * x;
  return group.empty() ? 0 : std::sqrt(sum / static_cast<double>(group.size()));
}

// The mean of each pair's longer component: what the four units of complex2 are scaled by.
double mean_longer_component(std::span<const float> group) {
  double sum = 0;
  for (size_t i = 0; i + 1 < group.size(); i += 2) {
    sum += std::max(std::abs(group[i]), std::abs(group[i + 1]));
  }
  return group.empty() ? 0 : 2 * sum / static_cast<double>(group.size());
}

bool is_power_of_two_scale(const numeric::ElementFormat& scale) {
  return scale.kind == ElementKind::kFloat && scale.mantissa_bits == 0 && !scale.is_signed;
}

double floor_power_of_two(double x) { return std::ldexp(1.0, std::ilogb(x)); }

float importance_of(std::span<const float> importance, size_t i) {
  return importance.empty() ? 1.0f : importance[i];
}

}  // namespace

ScaleChoice::ScaleChoice(const numeric::Scheme& scheme, const ElementRounder* rounder,
                         float tensor_scale)
    : scheme_(scheme),
      rounder_(rounder),
      tensor_scale_(tensor_scale),
      scale_may_be_negative_(scheme.scale.is_signed && !scheme.has_zero_point) {
  ANYBIT_CHECK((rounder == nullptr) == (scheme.element.kind == ElementKind::kComplex));
}

double ScaleChoice::rule_scale(std::span<const float> group) const {
  switch (scheme_.element.kind) {
    case ElementKind::kBinary: return mean_magnitude(group);
    case ElementKind::kTernary:
      return mean_magnitude_above(group, kTernaryThreshold * mean_magnitude(group));
    case ElementKind::kComplex: return mean_longer_component(group);
    case ElementKind::kPosit: return root_mean_square(group);
    case ElementKind::kInt:
      if (scheme_.element.bits == 1) return 2 * mean_magnitude(group);
      [[fallthrough]];
    case ElementKind::kUint:
    case ElementKind::kFloat:
    case ElementKind::kLns:
    case ElementKind::kBipolar:
    case ElementKind::kCodebook: break;
  }
  const double amax = amax_of(group);
  const double largest = std::max(std::abs(rounder_->max_value()), 0.0);
  if (amax == 0) return 0;
  if (largest == 0) return amax;
  if (is_power_of_two_scale(scheme_.scale)) {
    return floor_power_of_two(amax) / floor_power_of_two(largest);
  }
  return amax / largest;
}

GroupGrid ScaleChoice::rounded(double scale) const {
  GroupGrid grid;
  const double relative = scale / tensor_scale_;
  grid.scale_code = numeric::encode(scheme_.scale, relative);
  double decoded = numeric::decode(scheme_.scale, grid.scale_code);
  if (decoded == 0) {
    const double least = numeric::min_positive(scheme_.scale);
    grid.scale_code = numeric::encode(scheme_.scale, relative < 0 ? -least : least);
    decoded = numeric::decode(scheme_.scale, grid.scale_code);
  }
  grid.scale = static_cast<float>(decoded * tensor_scale_);
  return grid;
}

// Formats with a zero store it under any scale; for the others a scale of 0, or the least, is the
// nearest there is.
GroupGrid ScaleChoice::zero_group() const {
  const bool has_zero = rounder_ != nullptr && rounder_->round(0.0f) == 0.0f;
  if (has_zero) return rounded(tensor_scale_);
  GroupGrid grid;
  grid.scale_code = numeric::encode(scheme_.scale, 0.0);
  grid.scale = static_cast<float>(numeric::decode(scheme_.scale, grid.scale_code) * tensor_scale_);
  return grid;
}

GroupGrid ScaleChoice::affine(double low, double high) const {
  low = std::min(low, 0.0);
  high = std::max(high, 0.0);
  if (low == 0 && high == 0) return zero_group();
  const double max_code = rounder_->max_value();
  GroupGrid grid = rounded((high - low) / max_code);
  grid.zero_point =
      static_cast<uint32_t>(std::clamp(std::nearbyint(-low / grid.scale), 0.0, max_code));
  return grid;
}

GroupGrid ScaleChoice::by_rule(std::span<const float> group) const {
  if (scheme_.has_zero_point) {
    const auto [low, high] = std::ranges::minmax(group);
    return affine(low, high);
  }
  const double scale = rule_scale(group);
  return scale == 0 ? zero_group() : rounded(scale);
}

float ScaleChoice::stored(float x, const GroupGrid& grid) const {
  if (grid.scale == 0) return 0;
  const auto zero_point = static_cast<float>(grid.zero_point);
  return grid.scale * (rounder_->round(x / grid.scale + zero_point) - zero_point);
}

double ScaleChoice::squared_error(std::span<const float> group, std::span<const float> importance,
                                  const GroupGrid& grid) const {
  double sum = 0;
  if (rounder_ == nullptr) {
    for (size_t i = 0; i + 1 < group.size(); i += 2) {
      const uint32_t code = numeric::encode_complex({group[i], group[i + 1]});
      const std::complex<float> unit = numeric::decode_complex(code) * grid.scale;
      const double re = group[i] - unit.real(), im = group[i + 1] - unit.imag();
      sum += importance_of(importance, i) * re * re + importance_of(importance, i + 1) * im * im;
    }
    return sum;
  }
  for (size_t i = 0; i < group.size(); ++i) {
    const double error = group[i] - stored(group[i], grid);
    sum += importance_of(importance, i) * error * error;
  }
  return sum;
}

std::optional<GroupGrid> ScaleChoice::least_squares(std::span<const float> group,
                                                    std::span<const float> importance,
                                                    const GroupGrid& grid) const {
  if (rounder_ == nullptr || grid.scale == 0) return std::nullopt;
  double projection = 0, squares = 0;
  for (size_t i = 0; i < group.size(); ++i) {
    const double unit = stored(group[i], grid) / grid.scale;
    const double weight = importance_of(importance, i);
    projection += weight * unit * group[i];
    squares += weight * unit * unit;
  }
  if (squares == 0 || projection == 0) return std::nullopt;
  const double scale = projection / squares;
  if (scale < 0 && !scale_may_be_negative_) return std::nullopt;
  GroupGrid refined = rounded(scale);
  refined.zero_point = grid.zero_point;
  return refined;
}

GroupGrid ScaleChoice::by_search(std::span<const float> group,
                                 std::span<const float> importance) const {
  GroupGrid best = by_rule(group);
  const double start = scheme_.has_zero_point ? double{best.scale} : rule_scale(group);
  if (start == 0) return best;
  double least = squared_error(group, importance, best);
  const auto consider = [&](const GroupGrid& grid) {
    if (grid.scale == 0 || grid.scale == best.scale) return;
    const double error = squared_error(group, importance, grid);
    if (error < least) {
      least = error;
      best = grid;
    }
  };
  if (is_power_of_two_scale(scheme_.scale)) {
    for (const double factor : {0.25, 0.5, 2.0}) consider(rounded(start * factor));
    return best;
  }
  constexpr int kSteps = 24;
  constexpr double kLeastFactor = 0.4, kGreatestFactor = 1.12;
  const auto [low, high] = std::ranges::minmax(group);
  const bool try_negative = scale_may_be_negative_ && rounder_ != nullptr &&
                            -rounder_->min_value() != rounder_->max_value();
  for (int step = 0; step <= kSteps; ++step) {
    const double factor = kLeastFactor + (kGreatestFactor - kLeastFactor) * step / kSteps;
    if (scheme_.has_zero_point) {
      consider(affine(low * factor, high * factor));
      continue;
    }
    consider(rounded(start * factor));
    if (try_negative) consider(rounded(-start * factor));
  }
  for (int refinement = 0; refinement < 2; ++refinement) {
    if (const auto refined = least_squares(group, importance, best)) consider(*refined);
  }
  return best;
}

void ScaleChoice::encode(std::span<const float> group, const GroupGrid& grid,
                         std::span<uint32_t> codes) const {
  if (rounder_ == nullptr) {
    for (size_t i = 0; i < codes.size(); ++i) {
      codes[i] = numeric::encode_complex({group[2 * i], group[2 * i + 1]});
    }
    return;
  }
  const auto zero_point = static_cast<float>(grid.zero_point);
  for (size_t i = 0; i < codes.size(); ++i) {
    codes[i] = grid.scale == 0 ? rounder_->encode(group[i])
                               : rounder_->encode(group[i] / grid.scale + zero_point);
  }
}

bool rule_needs_range_only(const numeric::Scheme& scheme) {
  if (scheme.has_zero_point) return true;
  switch (scheme.element.kind) {
    case ElementKind::kInt: return scheme.element.bits > 1;
    case ElementKind::kUint:
    case ElementKind::kFloat:
    case ElementKind::kLns:
    case ElementKind::kBipolar: return true;
    case ElementKind::kCodebook: return scheme.codebook == numeric::StandardCodebook::kNf4;
    case ElementKind::kBinary:
    case ElementKind::kTernary:
    case ElementKind::kComplex:
    case ElementKind::kPosit: return false;
  }
  return false;
}

float tensor_scale_for(const numeric::Scheme& scheme, double largest_element, double amax) {
  if (!scheme.has_tensor_scale || amax == 0) return 1.0f;
  const double scale = amax / (largest_element * numeric::max_finite(scheme.scale));
  return std::max(static_cast<float>(scale), std::numeric_limits<float>::min());
}

}  // namespace anybit::quant::internal
