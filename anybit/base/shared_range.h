// Indices that threads share: each begins with a run of its own, and helps the others when done.
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "anybit/base/parallel.h"

namespace anybit {

/// The indices [0, count) in one run a thread. A thread takes ranges of `grain` from the front of
/// its run, so that what it reads streams; when that is empty, from the back of the fullest other
/// run. For work on which threads do not get on equally fast.
class SharedRange {
 public:
  /// Pre: 0 <= count < 2^31, grain >= 1, threads.count >= 1.
  SharedRange(int64_t count, int64_t grain, Threads threads);

  /// The next range for `thread`, [begin, end), of at most `grain` indices; false if none is left.
  /// Pre: 0 <= thread < threads.count. Every thread may call it at any time.
  bool take(int thread, int64_t& begin, int64_t& end);

 private:
  /// What is left of a run: its begin in the high half, its end in the low half.
  struct alignas(64) Run {
    std::atomic<uint64_t> bounds = 0;
  };
  bool take_front(Run& run, int64_t& begin, int64_t& end);
  bool take_back(Run& run, int64_t& begin, int64_t& end);

  int64_t grain_;
  std::vector<Run> runs_;
};

}  // namespace anybit
