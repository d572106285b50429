#include "anybit/layout/internal/digits.h"

#include <algorithm>

namespace anybit::layout::internal {

void append_digit(Digits& digits, const Digit& digit) {
  if (digit.extent == 1) return;
  // For replicated digits both strides are 0, so that they always merge.
  if (!digits.empty() && digits.back().dim == digit.dim &&
      digits.back().stride == digit.stride * digit.extent) {
    digits.back().extent *= digit.extent;
    digits.back().stride = digit.stride;
  } else {
    digits.push_back(digit);
  }
}

std::optional<Halves> cut(std::span<const Digit> digits, int64_t lower_count) {
  size_t first_lower = digits.size();
  while (first_lower > 0 && lower_count % digits[first_lower - 1].extent == 0) {
    lower_count /= digits[--first_lower].extent;
  }
  Halves halves{{digits.begin(), digits.begin() + static_cast<ptrdiff_t>(first_lower)},
                {digits.begin() + static_cast<ptrdiff_t>(first_lower), digits.end()}};
  if (lower_count == 1) return halves;
  if (first_lower == 0 || digits[first_lower - 1].extent % lower_count != 0) return std::nullopt;
  Digit& coarse = halves.upper.back();
  halves.lower.insert(halves.lower.begin(), {lower_count, coarse.dim, coarse.stride});
  coarse.extent /= lower_count;
  coarse.stride *= lower_count;
  return halves;
}

int64_t linear_offset(std::span<const Digit> digits, const Dims& strides, int64_t index) {
  int64_t offset = 0;
  for (size_t i = digits.size(); i-- > 0;) {
    const Digit& digit = digits[i];
    if (!digit.is_replicated()) {
      offset += index % digit.extent * digit.stride * strides[digit.dim];
    }
    index /= digit.extent;
  }
  return offset;
}

std::vector<int64_t> linear_offsets(std::span<const Digit> digits, const Dims& strides) {
  std::vector<int64_t> offsets = {0};
  for (const Digit& digit : digits) {
    const int64_t step = digit.is_replicated() ? 0 : digit.stride * strides[digit.dim];
    std::vector<int64_t> finer;
    finer.reserve(offsets.size() * static_cast<size_t>(digit.extent));
    for (const int64_t offset : offsets) {
      for (int64_t i = 0; i < digit.extent; ++i) finer.push_back(offset + i * step);
    }
    offsets = std::move(finer);
  }
  return offsets;
}

}  // namespace anybit::layout::internal
