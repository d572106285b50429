// Rotation of one token's heads for whatever FloatVector is in the including file.
#pragma once

#include "anybit/kernel/internal/float_vector.h"
#include "anybit/kernel/rope/rope.h"

namespace anybit::kernel {
namespace {

struct Rotated {
  FloatVector first;
  FloatVector second;
};

inline Rotated rotate(FloatVector first, FloatVector second, FloatVector cosine, FloatVector sine) {
  const FloatVector zero = FloatVector::all(0);
  return {fma(first, cosine, zero - second * sine), fma(second, cosine, first * sine)};
}

inline void rotate_halves(const float* cosines, const float* sines, int64_t num_pairs,
                          float* head) {
  constexpr int64_t kLanes = FloatVector::kLanes;
  int64_t i = 0;
  for (; i + kLanes <= num_pairs; i += kLanes) {
    const Rotated r = rotate(FloatVector::load(head + i), FloatVector::load(head + num_pairs + i),
                             FloatVector::load(cosines + i), FloatVector::load(sines + i));
    r.first.store(head + i);
    r.second.store(head + num_pairs + i);
  }
  const int64_t rest = num_pairs - i;
  if (rest == 0) return;
  const Rotated r = rotate(
      FloatVector::load_first(head + i, rest), FloatVector::load_first(head + num_pairs + i, rest),
      FloatVector::load_first(cosines + i, rest), FloatVector::load_first(sines + i, rest));
  r.first.store_first(head + i, rest);
  r.second.store_first(head + num_pairs + i, rest);
}

inline void rotate_interleaved(const float* cosines, const float* sines, int64_t num_pairs,
                               float* head) {
  constexpr int64_t kLanes = FloatVector::kLanes;
  int64_t i = 0;
  for (; i + kLanes <= num_pairs; i += kLanes) {
    FloatVector even, odd;
    FloatVector::load_pairs(head + 2 * i, even, odd);
    const Rotated r =
        rotate(even, odd, FloatVector::load(cosines + i), FloatVector::load(sines + i));
    FloatVector::store_pairs(head + 2 * i, r.first, r.second);
  }
  for (; i < num_pairs; ++i) {
    const float first = head[2 * i], second = head[2 * i + 1];
    head[2 * i] = __builtin_fmaf(first, cosines[i], -(second * sines[i]));
    head[2 * i + 1] = __builtin_fmaf(second, cosines[i], first * sines[i]);
  }
}

inline void rope_vector(RopePairing pairing, const float* cosines, const float* sines,
                        int64_t num_pairs, float* x, int64_t num_heads, int64_t head_dim) {
  for (int64_t head = 0; head < num_heads; ++head) {
    if (pairing == RopePairing::kHalves) {
      rotate_halves(cosines, sines, num_pairs, x + head * head_dim);
    } else {
      rotate_interleaved(cosines, sines, num_pairs, x + head * head_dim);
    }
  }
}

}  // namespace
}  // namespace anybit::kernel
