// Digits taken apart into factors that either are a bit or have an odd extent: the form in which
// two layouts of a tile can be compared place by place.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "anybit/layout/register_layout.h"

namespace anybit::layout::internal {

/// A factor of a thread or local index: its value is index / place % extent, and it adds value *
/// stride to coordinate `dim`.
struct Factor {
  int64_t extent = 2;  // 2 or odd.
  int dim = Digit::kReplicated;
  int64_t stride = 0;
  int64_t place = 1;

  bool is_replicated() const { return dim == Digit::kReplicated; }
  /// Whether both step through the tile alike.
  bool same_element_bit(const Factor& other) const {
    return extent == other.extent && dim == other.dim && stride == other.stride;
  }
  friend bool operator==(const Factor&, const Factor&) = default;
};

/// The factors of `digits`, the least significant first; of one digit, bits before the odd rest.
std::vector<Factor> factors_of(std::span<const Digit> digits);

/// Digits again, the most significant first.
std::vector<Digit> digits_of(std::span<const Factor> factors);

}  // namespace anybit::layout::internal
