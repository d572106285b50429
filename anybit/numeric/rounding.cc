#include "anybit/numeric/rounding.h"

#include <algorithm>
#include <iterator>
#include <string>

namespace anybit::numeric {
namespace {

struct ModeName {
  RoundingMode mode;
  std::string_view name;
};

constexpr ModeName kModeNames[] = {
    {RoundingMode::kNearestEven, "nearest_even"},
    {RoundingMode::kNearestAway, "nearest_away"},
    {RoundingMode::kTowardZero, "toward_zero"},
    {RoundingMode::kUp, "up"},
    {RoundingMode::kDown, "down"},
    {RoundingMode::kToOdd, "to_odd"},
    {RoundingMode::kStochastic, "stochastic"},
};

}  // namespace

std::string_view name(RoundingMode mode) {
  const auto* row = std::find_if(std::begin(kModeNames), std::end(kModeNames),
                                 [mode](const ModeName& r) { return r.mode == mode; });
  return row == std::end(kModeNames) ? "unknown" : row->name;
}

Result<RoundingMode> parse_rounding_mode(std::string_view text) {
  std::string names;
  for (const ModeName& row : kModeNames) {
    if (row.name == text) return row.mode;
    names += names.empty() ? "" : ", ";
    names += row.name;
  }
  return fail(ErrorCode::kInvalidArgument, "rounding mode: expected one of {}; found \"{}\"", names,
              text);
}

}  // namespace anybit::numeric
