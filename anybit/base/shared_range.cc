#include "anybit/base/shared_range.h"

#include <algorithm>

#include "anybit/base/check.h"
#include "anybit/base/integer.h"

namespace anybit {
namespace {

uint64_t joined(int64_t begin, int64_t end) {
  return static_cast<uint64_t>(begin) << 32 | static_cast<uint64_t>(end);
}
int64_t begin_of(uint64_t bounds) { return static_cast<int64_t>(bounds >> 32); }
int64_t end_of(uint64_t bounds) { return static_cast<int64_t>(bounds & 0xFFFFFFFF); }

}  // namespace

SharedRange::SharedRange(int64_t count, int64_t grain, Threads threads)
    : grain_(grain), runs_(static_cast<size_t>(threads.count)) {
  ANYBIT_CHECK(count >= 0 && count < int64_t{1} << 31 && grain >= 1);
  const int64_t num_grains = ceil_div(count, grain);
  for (int64_t i = 0; i < threads.count; ++i) {
    const int64_t begin = std::min(count, num_grains * i / threads.count * grain);
    const int64_t end = std::min(count, num_grains * (i + 1) / threads.count * grain);
    runs_[static_cast<size_t>(i)].bounds = joined(begin, end);
  }
}

bool SharedRange::take(int thread, int64_t& begin, int64_t& end) {
  if (take_front(runs_[static_cast<size_t>(thread)], begin, end)) return true;
  // Others only take from runs, never add: a run seen empty stays so, and the loop ends.
  for (;;) {
    const auto left = [](const Run& run) {
      const uint64_t bounds = run.bounds.load(std::memory_order_relaxed);
      return end_of(bounds) - begin_of(bounds);
    };
    Run& fullest = *std::max_element(runs_.begin(), runs_.end(),
                                     [&](const Run& a, const Run& b) { return left(a) < left(b); });
    if (left(fullest) == 0) return false;
    if (take_back(fullest, begin, end)) return true;
  }
}

bool SharedRange::take_front(Run& run, int64_t& begin, int64_t& end) {
  uint64_t bounds = run.bounds.load(std::memory_order_relaxed);
  while (begin_of(bounds) < end_of(bounds)) {
    begin = begin_of(bounds);
    end = std::min(begin + grain_, end_of(bounds));
    if (run.bounds.compare_exchange_weak(bounds, joined(end, end_of(bounds)))) return true;
  }
  return false;
}

bool SharedRange::take_back(Run& run, int64_t& begin, int64_t& end) {
  uint64_t bounds = run.bounds.load(std::memory_order_relaxed);
  while (begin_of(bounds) < end_of(bounds)) {
    end = end_of(bounds);
    // Whole grains: what is left of the run stays a multiple of them but at the very end.
    const int64_t length = end - begin_of(bounds);
    begin = end - ((length - 1) % grain_ + 1);
    if (run.bounds.compare_exchange_weak(bounds, joined(begin_of(bounds), begin))) return true;
  }
  return false;
}

}  // namespace anybit
