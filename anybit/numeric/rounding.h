// How a real number becomes a code: the direction of rounding, and what happens beyond the range.
#pragma once

#include <cstdint>
#include <string_view>

#include "anybit/base/result.h"

namespace anybit::numeric {

enum class RoundingMode : uint8_t {
  kNearestEven,  // Ties to the code whose last bit is 0.
  kNearestAway,  // Ties away from zero.
  kTowardZero,
  kUp,          // Toward +infinity.
  kDown,        // Toward -infinity.
  kToOdd,       // Inexact values go to the neighbour whose last bit is 1 (von Neumann).
  kStochastic,  // To the upper neighbour with probability equal to the distance from the lower.
};

enum class Overflow : uint8_t {
  kSaturate,  // The largest finite value of that sign.
  kSpecial,   // As IEEE 754: infinity or NaN where the format has it and the mode rounds outward,
              // else the largest finite value.
};

struct Rounding {
  RoundingMode mode = RoundingMode::kNearestEven;
  Overflow overflow = Overflow::kSaturate;
  friend bool operator==(const Rounding&, const Rounding&) = default;
};

/// "nearest_even", "nearest_away", "toward_zero", "up", "down", "to_odd", "stochastic".
std::string_view name(RoundingMode mode);

/// The mode of that name. Errors: kInvalidArgument listing the names.
Result<RoundingMode> parse_rounding_mode(std::string_view text);

}  // namespace anybit::numeric
