// The significands of logarithmic numbers: 2^(j / 2^f), correctly rounded to double.
#pragma once

#include <cstdint>
#include <span>

namespace anybit::numeric::internal {

inline constexpr int kLnsTableBits = 14;

/// Entry j is the double nearest to 2^(j / 2^14), j < 2^14. Made once, on first use.
std::span<const double> lns_significands();

}  // namespace anybit::numeric::internal
