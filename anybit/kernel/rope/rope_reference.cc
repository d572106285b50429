#include "anybit/kernel/rope/internal/rope_functions.h"

namespace anybit::kernel::internal {

void rope_reference(RopePairing pairing, const float* cosines, const float* sines,
                    int64_t num_pairs, float* x, int64_t num_heads, int64_t head_dim) {
  for (int64_t head = 0; head < num_heads; ++head) {
    for (int64_t i = 0; i < num_pairs; ++i) {
      const bool is_halves = pairing == RopePairing::kHalves;
      float& first = x[head * head_dim + (is_halves ? i : 2 * i)];
      float& second = x[head * head_dim + (is_halves ? num_pairs + i : 2 * i + 1)];
      const double a = first, b = second, cosine = cosines[i], sine = sines[i];
      first = static_cast<float>(a * cosine - b * sine);
      second = static_cast<float>(b * cosine + a * sine);
    }
  }
}

}  // namespace anybit::kernel::internal
