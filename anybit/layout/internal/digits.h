// Lists of digits: the one place that knows how neighbours merge and how a list is cut in two.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "anybit/layout/register_layout.h"

namespace anybit::layout::internal {

using Digits = std::vector<Digit>;

/// Appends `digit` as the new least significant one, merged with its neighbour if one digit can
/// express both; a digit of extent 1 vanishes. A list built only by this function is in normal
/// form.
void append_digit(Digits& digits, const Digit& digit);

struct Halves {
  Digits upper;
  Digits lower;
};
/// Divides the list such that the extents of the lower half multiply to `lower_count`, splitting a
/// digit if need be; nothing if no split does. Normal lists give normal halves.
std::optional<Halves> cut(std::span<const Digit> digits, int64_t lower_count);

/// The row-major offset that `index` stands for: sum of digit value * stride * strides[dim].
int64_t linear_offset(std::span<const Digit> digits, const Dims& strides, int64_t index);
/// The offsets of all indices in order.
std::vector<int64_t> linear_offsets(std::span<const Digit> digits, const Dims& strides);

}  // namespace anybit::layout::internal
