#include "anybit/vm/backend/cuda/cast/internal/pair_places.h"

#include <algorithm>

#include "anybit/base/check.h"

namespace anybit::vm::cuda::internal {
namespace {

/// The byte of `window` at which a lane that holds bit `begin` should start.
int64_t lane_byte(int64_t begin, int64_t window) { return (begin - window) / 8; }

}  // namespace

bool PairPlaces::suits(int64_t begin, int64_t lane_begin) const {
  const int64_t shift = begin - lane_begin;
  return shift >= 0 && shift < 16 && allowed_[static_cast<size_t>(shift)];
}

bool PairPlaces::suits_bytes(int64_t begin, int64_t window) const {
  const int64_t at = begin - window;
  return at >= 0 && suits(begin, window + at / 8 * 8);
}

PlacedPair PairPlaces::pick(const std::string& low_word, const std::string& high_word,
                            int64_t window, int64_t end, int64_t lo, int64_t hi) {
  const int64_t byte[2] = {lane_byte(lo, window), lane_byte(hi, window)};
  uint32_t selector = 0;
  for (int lane = 0; lane < 2; ++lane) {
    // The byte behind the last one is garbage in any case.
    const auto next = static_cast<uint32_t>(std::min<int64_t>(byte[lane] + 1, 7));
    selector |= (static_cast<uint32_t>(byte[lane]) | next << 4) << (8 * lane);
  }
  const std::string word = out_.word(
      selector == 0x3210 ? low_word
                         : fmt::format("ab::prmt({}, {}, {:#x})", low_word, high_word, selector));
  kept_.push_back({word, window + 8 * byte[0], window + 8 * byte[1], end});
  return {word, {static_cast<int>(lo - kept_.back().lo), static_cast<int>(hi - kept_.back().hi)}};
}

PlacedPair PairPlaces::place(int64_t lo, int64_t hi) {
  const int bits = out_.bits();
  for (const Lanes& lanes : kept_) {
    if (hi + bits <= lanes.end && suits(lo, lanes.lo) && suits(hi, lanes.hi)) {
      return {lanes.word, {static_cast<int>(lo - lanes.lo), static_cast<int>(hi - lanes.hi)}};
    }
  }
  // A word of the string as it is, or shifted, whose halves hold the two codes.
  for (const int64_t base : {lo / 32 * 32, lo / 32 * 32 + 8}) {
    if (hi - lo != 16 || lo < base || lo + 16 + bits > base + 32) continue;
    if (suits(lo, base) && suits(hi, base + 16)) {
      kept_.push_back({out_.window(base), base, base + 16, base + 32});
      return {kept_.back().word, {static_cast<int>(lo - base), static_cast<int>(hi - base - 16)}};
    }
  }
  const int64_t first = lo / 32 * 32;
  if (hi + bits <= first + 64 && suits_bytes(lo, first) && suits_bytes(hi, first)) {
    const bool is_in_one = hi + bits <= first + 32;
    return pick(out_.window(first), is_in_one ? "0u" : out_.window(first + 32), first,
                first + (is_in_one ? 32 : 64), lo, hi);
  }
  for (const int64_t window : windows_) {
    if (lo >= window && hi + bits <= window + 32 && suits_bytes(lo, window) &&
        suits_bytes(hi, window)) {
      return pick(out_.window(window), "0u", window, window + 32, lo, hi);
    }
  }
  // The new window that suits the most pairs of neighbours from here on.
  int64_t best = -1, best_pairs = 0;
  for (int64_t window = lo; window > lo - 8; --window) {
    int64_t pairs = 0;
    for (int64_t p = lo; p + (hi - lo) + bits <= window + 32; p += 2 * bits) {
      pairs += suits_bytes(p, window) && suits_bytes(p + hi - lo, window);
    }
    const bool suits_this =
        hi + bits <= window + 32 && suits_bytes(lo, window) && suits_bytes(hi, window);
    if (suits_this && pairs > best_pairs) best = window, best_pairs = pairs;
  }
  if (best_pairs > 0) {
    windows_.push_back(best);
    return pick(out_.window(best), "0u", best, best + 32, lo, hi);
  }
  // No window suits both: one for each code.
  int shift = 0;
  while (!allowed_[static_cast<size_t>(shift)]) ++shift;
  ANYBIT_CHECK(shift + bits <= 16);
  const std::string a = out_.window(lo - shift), b = out_.window(hi - shift);
  return {out_.word(fmt::format("ab::prmt({}, {}, 0x5410)", a, b)), {shift, shift}};
}

}  // namespace anybit::vm::cuda::internal
