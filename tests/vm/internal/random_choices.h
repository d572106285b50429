// A small stream of random choices: the same for one seed on every machine.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "anybit/base/philox.h"

namespace anybit::vm::testing {

class RandomChoices {
 public:
  explicit RandomChoices(uint64_t seed) : random_(seed) {}

  uint64_t bits() { return random_.bits64(next_++); }
  /// A number in [0, count). Pre: count >= 1.
  int64_t below(int64_t count) {
    return static_cast<int64_t>(bits() % static_cast<uint64_t>(count));
  }
  /// A number in [low, high].
  int64_t between(int64_t low, int64_t high) { return low + below(high - low + 1); }
  bool chance(int percent) { return below(100) < percent; }
  template <class T>
  const T& pick(const std::vector<T>& from) {
    return from[static_cast<size_t>(below(static_cast<int64_t>(from.size())))];
  }
  template <class T>
  void shuffle(std::vector<T>& items) {
    for (size_t i = items.size(); i > 1; --i) {
      std::swap(items[i - 1], items[static_cast<size_t>(below(static_cast<int64_t>(i)))]);
    }
  }

 private:
  Philox random_;
  uint64_t next_ = 0;
};

}  // namespace anybit::vm::testing
