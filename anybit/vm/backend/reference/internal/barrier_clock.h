// What each warp knows of the others: an access is ordered before another iff a chain of barriers
// leads from one to the other. Threads of a warp know the same; but without a barrier they are not
// ordered among themselves. Barriers of alloc_barrier are agents too: their intervals are phases.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "anybit/vm/ir/program.h"

namespace anybit::vm::reference {

/// By agent: intervals before this one are known. Agents after the last: nothing is.
class Knowledge {
 public:
  int64_t operator[](int64_t agent) const {
    return agent < static_cast<int64_t>(intervals_.size()) ? intervals_[static_cast<size_t>(agent)]
                                                           : 0;
  }
  void set(int64_t agent, int64_t interval) {
    if (agent >= static_cast<int64_t>(intervals_.size())) {
      intervals_.resize(static_cast<size_t>(agent) + 1, 0);
    }
    intervals_[static_cast<size_t>(agent)] = interval;
  }
  void join(const Knowledge& other) {
    intervals_.resize(std::max(intervals_.size(), other.intervals_.size()), 0);
    for (size_t i = 0; i < other.intervals_.size(); ++i) {
      intervals_[i] = std::max(intervals_[i], other.intervals_[i]);
    }
  }

 private:
  std::vector<int64_t> intervals_;
};

class BarrierClock {
 public:
  BarrierClock() : epochs_(kMaxWarps, 1), known_(kMaxWarps) {}

  /// A new agent that is no warp.
  int64_t add_agent() { return num_agents_++; }
  int64_t num_agents() const { return num_agents_; }

  /// The number of the interval between barriers in which `warp` is; from 1.
  int64_t epoch(int64_t warp) const { return epochs_[static_cast<size_t>(warp)]; }

  /// Whether what `agent` did in its interval `epoch` happened before what `observer` does now.
  bool is_ordered(int64_t agent, int64_t epoch, int64_t observer) const {
    return epoch < known(observer)[agent];
  }
  const Knowledge& known(int64_t warp) const { return known_[static_cast<size_t>(warp)]; }

  /// Warps [first, first + count) meet at a barrier.
  void barrier(int64_t first, int64_t count) {
    Knowledge joined;
    for (int64_t w = first; w < first + count; ++w) {
      Knowledge& own = known_[static_cast<size_t>(w)];
      own.set(w, ++epochs_[static_cast<size_t>(w)]);
      joined.join(own);
    }
    for (int64_t w = first; w < first + count; ++w) known_[static_cast<size_t>(w)] = joined;
  }

  /// What `warp` did up to now, for others to acquire; it begins a new interval.
  Knowledge release(int64_t warp) {
    Knowledge released = known(warp);
    released.set(warp, ++epochs_[static_cast<size_t>(warp)]);
    return released;
  }
  /// `warp` finds that the intervals of `agent` before this one are over.
  void learn(int64_t warp, int64_t agent, int64_t interval) {
    known_[static_cast<size_t>(warp)].set(agent, interval);
  }
  void acquire(int64_t warp, const Knowledge& released) {
    known_[static_cast<size_t>(warp)].join(released);
  }

 private:
  std::vector<int64_t> epochs_;   // [kMaxWarps]
  std::vector<Knowledge> known_;  // [kMaxWarps]
  int64_t num_agents_ = kMaxWarps;
};

}  // namespace anybit::vm::reference
