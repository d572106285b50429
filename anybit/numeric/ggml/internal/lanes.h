// Four floats at a time, in a fixed order of sums: the same bits on every machine.
#pragma once

#include <cstring>

namespace anybit::numeric::ggml {

using F32x4 = float __attribute__((vector_size(16)));

inline F32x4 load_lanes(const float* values) {
  F32x4 lanes;
  std::memcpy(&lanes, values, sizeof(lanes));
  return lanes;
}

inline void store_lanes(float* values, F32x4 lanes) { std::memcpy(values, &lanes, sizeof(lanes)); }

inline float sum_of_lanes(F32x4 lanes) { return (lanes[0] + lanes[2]) + (lanes[1] + lanes[3]); }

/// NaN becomes `low`. Pre: low <= high.
inline F32x4 clamp_lanes(F32x4 value, float low, float high) {
  const F32x4 at_least = value > low ? value : F32x4{} + low;
  return at_least < high ? at_least : F32x4{} + high;
}

/// Nearest integer, ties to even. Pre: magnitudes below 2^22.
inline F32x4 round_lanes(F32x4 value) {
  constexpr float kMagic = 0x1.8p23f;  // At this size the least step is 1.
  return (value + kMagic) - kMagic;
}

inline F32x4 abs_lanes(F32x4 value) { return value < 0.0f ? -value : value; }

}  // namespace anybit::numeric::ggml
