// How one group of values gets its scale and zero point: the format's rule, or a search.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "anybit/numeric/scheme.h"
#include "anybit/quant/element_rounder.h"

namespace anybit::quant::internal {

/// The grid of one group: stored value = scale * (decode(code) - zero_point).
struct GroupGrid {
  float scale = 1;          // tensor_scale times the decoded scale.
  uint32_t scale_code = 0;  // In the scheme's scale format.
  uint32_t zero_point = 0;  // A code; 0 for symmetric schemes.
};

class ScaleChoice {
 public:
  /// `rounder` is null for complex2 only, and must outlive this object.
  ScaleChoice(const numeric::Scheme& scheme, const ElementRounder* rounder, float tensor_scale);

  /// The grid that the rule of quantize_rtn() gives the group.
  GroupGrid by_rule(std::span<const float> group) const;

  /// The grid of least squared error among the candidates of quantize_mse().
  /// importance: a weight for each value, or empty.
  GroupGrid by_search(std::span<const float> group, std::span<const float> importance) const;

  /// Rounds values to codes on the grid. complex2: one code for each pair of values.
  void encode(std::span<const float> group, const GroupGrid& grid, std::span<uint32_t> codes) const;

  /// The importance-weighted squared error of the group on the grid.
  double squared_error(std::span<const float> group, std::span<const float> importance,
                       const GroupGrid& grid) const;

  /// The scale the rule asks for, before it is rounded to the scale format; 0 for a group of zeros.
  double rule_scale(std::span<const float> group) const;

 private:
  GroupGrid rounded(double scale) const;
  GroupGrid zero_group() const;
  GroupGrid affine(double low, double high) const;
  std::optional<GroupGrid> least_squares(std::span<const float> group,
                                         std::span<const float> importance,
                                         const GroupGrid& grid) const;
  float stored(float x, const GroupGrid& grid) const;

  const numeric::Scheme& scheme_;
  const ElementRounder* rounder_;
  float tensor_scale_;
  bool scale_may_be_negative_;
};

/// Whether ScaleChoice::by_rule() gives a group and the two ends of its range the same grid.
bool rule_needs_range_only(const numeric::Scheme& scheme);

/// The second-level scale for a tensor whose largest magnitude is amax.
float tensor_scale_for(const numeric::Scheme& scheme, double largest_element, double amax);

}  // namespace anybit::quant::internal
