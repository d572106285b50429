// A conversion of layouts within each warp, written out: a straight-line program of selects by a
// bit of the thread index and of shuffles of 32-bit words, as few shuffles as its words allow. Who
// calls for it: a conversion of kind kSelect or kShuffle (conversion.h).
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "anybit/base/result.h"
#include "anybit/layout/register_layout.h"

namespace anybit::layout {

/// A step makes one word of words made before.
struct ExchangeStep {
  enum class Kind : uint8_t {
    kSelect,   // words[b] where bit thread / amount % 2 is 1, else words[a].
    kShuffle,  // words[a] of the lane WarpExchange::source_lane(lane) ^ amount.
  };
  Kind kind = Kind::kSelect;
  int64_t a = 0;
  int64_t b = 0;
  int64_t amount = 0;
};

/// Words are numbered: the inputs, then one a step. Every thread runs the same steps.
struct WarpExchange {
  int64_t slots = 1;                  // Elements a word carries.
  std::vector<int64_t> inputs = {};   // Local places of `from` in each word. [inputs, slots]
  std::vector<int64_t> outputs = {};  // Local places of `to` in each word. [outputs, slots]
  std::vector<ExchangeStep> steps = {};
  std::vector<int64_t> results = {};               // The word that is output i. [outputs]
  std::array<int, 5> lane_bits = {0, 1, 2, 3, 4};  // Bit i of source_lane() is this bit.

  int64_t num_inputs() const { return static_cast<int64_t>(inputs.size()) / slots; }
  int64_t num_shuffles() const;
  int64_t num_selects() const { return static_cast<int64_t>(steps.size()) - num_shuffles(); }
  /// Whether source_lane(lane) is lane.
  bool keeps_lanes() const { return lane_bits == std::array<int, 5>{0, 1, 2, 3, 4}; }
  int64_t source_lane(int64_t lane) const;
};

/// The exchange that makes the tile laid out by `from` laid out by `to`, with words of up to
/// `max_slots` elements that travel together.
/// Post: after the steps, in every thread, place outputs[i, s] of `to` is slot s of word
/// results[i]; the shuffles are no more than the words that `to` has to fill. Errors:
/// kInvalidArgument unless shapes and thread counts are equal, max_slots >= 1; kUnsupported if an
/// element leaves its warp, or if factors move whose extents are not powers of two.
Result<WarpExchange> plan_warp_exchange(const RegisterLayout& from, const RegisterLayout& to,
                                        int64_t max_slots);

/// Two layouts of a tile in terms of units: runs of elements that both keep together in a thread.
struct UnitLayouts {
  int64_t unit = 1;  // Elements.
  RegisterLayout from, to;
};

/// The layouts of units of the most elements, a power of two up to `max_unit`, that are the lowest
/// local places of both, in the same order.
/// Post: local place e of `from` is element e % unit of place e / unit of the result's; so for
/// `to`. Pre: the shapes are equal.
UnitLayouts common_units(const RegisterLayout& from, const RegisterLayout& to, int64_t max_unit);

}  // namespace anybit::layout
