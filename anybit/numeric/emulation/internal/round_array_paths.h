// The vector paths of round_array(), all instances of round_lanes.h.
#pragma once

#include <cstdint>
#include <span>

#include "anybit/numeric/emulation/internal/round_lanes.h"

namespace anybit::numeric::internal {

/// What a path needs besides its plan.
struct RandomSource {
  uint64_t seed;
  uint64_t stream;
  int64_t first_index;
};

/// Rounds count values; random words as emulated_random_word(). Each covers every mode and count.
void round_array_portable(const float* values, float* out, int64_t count,
                          const RoundPlan<uint32_t>& plan, EmulatedMode mode, RandomSource random);
void round_array_portable(const double* values, double* out, int64_t count,
                          const RoundPlan<uint64_t>& plan, EmulatedMode mode, RandomSource random);
void round_array_avx2(const float* values, float* out, int64_t count,
                      const RoundPlan<uint32_t>& plan, EmulatedMode mode, RandomSource random);
void round_array_avx2(const double* values, double* out, int64_t count,
                      const RoundPlan<uint64_t>& plan, EmulatedMode mode, RandomSource random);

/// action.template operator()<mode>() with the mode as a constant.
template <class Action>
void with_mode(EmulatedMode mode, const Action& action) {
  switch (mode) {
    case EmulatedMode::kNearestEven:
      return action.template operator()<EmulatedMode::kNearestEven>();
    case EmulatedMode::kNearestAway:
      return action.template operator()<EmulatedMode::kNearestAway>();
    case EmulatedMode::kNearestZero:
      return action.template operator()<EmulatedMode::kNearestZero>();
    case EmulatedMode::kTowardZero: return action.template operator()<EmulatedMode::kTowardZero>();
    case EmulatedMode::kUp: return action.template operator()<EmulatedMode::kUp>();
    case EmulatedMode::kDown: return action.template operator()<EmulatedMode::kDown>();
    case EmulatedMode::kToOdd: return action.template operator()<EmulatedMode::kToOdd>();
    case EmulatedMode::kStochastic: return action.template operator()<EmulatedMode::kStochastic>();
    case EmulatedMode::kCoinFlip: return action.template operator()<EmulatedMode::kCoinFlip>();
  }
}

constexpr bool is_random(EmulatedMode mode) {
  return mode == EmulatedMode::kStochastic || mode == EmulatedMode::kCoinFlip;
}

}  // namespace anybit::numeric::internal
