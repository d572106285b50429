// What each warp knows of the others through barriers: an access is ordered before another iff a
// chain of barriers leads from one to the other. Barriers are of whole warps, so threads of a warp
// know the same; but without a barrier they are not ordered among themselves.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "anybit/vm/ir/program.h"

namespace anybit::vm::reference {

class BarrierClock {
 public:
  BarrierClock() { epochs_.fill(1); }

  /// The number of the interval between barriers in which `warp` is; from 1.
  int64_t epoch(int64_t warp) const { return epochs_[static_cast<size_t>(warp)]; }

  /// Whether what `warp` did in its interval `epoch` happened before what `observer` does now.
  bool is_ordered(int64_t warp, int64_t epoch, int64_t observer) const {
    return epoch < known_[static_cast<size_t>(observer)][static_cast<size_t>(warp)];
  }

  /// Warps [first, first + count) meet at a barrier.
  void barrier(int64_t first, int64_t count) {
    Knowledge joined{};
    for (int64_t w = first; w < first + count; ++w) {
      const auto index = static_cast<size_t>(w);
      known_[index][index] = ++epochs_[index];
      for (size_t v = 0; v < joined.size(); ++v) {
        joined[v] = std::max(joined[v], known_[index][v]);
      }
    }
    for (int64_t w = first; w < first + count; ++w) known_[static_cast<size_t>(w)] = joined;
  }

 private:
  using Knowledge = std::array<int64_t, kMaxWarps>;  // Intervals before this one are known.
  std::array<int64_t, kMaxWarps> epochs_;
  std::array<Knowledge, kMaxWarps> known_{};
};

}  // namespace anybit::vm::reference
