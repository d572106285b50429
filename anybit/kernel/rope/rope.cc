#include "anybit/kernel/rope/rope.h"

#include <algorithm>
#include <cmath>

#include "anybit/base/check.h"
#include "anybit/kernel/rope/internal/rope_functions.h"

namespace anybit::kernel {
namespace {

constexpr Variant<RopeToken> kVariants[] = {
    {"avx512", needs_avx512, internal::rope_avx512},
    {"avx2", needs_avx2, internal::rope_avx2},
    {"reference", needs_nothing, internal::rope_reference},
};

constexpr int64_t kGrain = 32768;  // Elements worth a thread: about 5 microseconds.

}  // namespace

std::span<const Variant<RopeToken>> rope_variants() { return kVariants; }

RopeAngles rope_angles(const RopeFrequencies& frequencies, int64_t first_position,
                       int64_t num_tokens) {
  ANYBIT_CHECK(num_tokens >= 0);
  RopeAngles angles;
  angles.pairing = frequencies.pairing;
  angles.num_tokens = num_tokens;
  angles.num_pairs = static_cast<int64_t>(frequencies.radians_per_position.size());
  angles.cosines.resize(num_tokens * angles.num_pairs);
  angles.sines.resize(num_tokens * angles.num_pairs);
  for (int64_t token = 0; token < num_tokens; ++token) {
    const auto position = static_cast<double>(first_position + token);
    for (int64_t i = 0; i < angles.num_pairs; ++i) {
      const double angle = position * frequencies.radians_per_position[i];
      const int64_t index = token * angles.num_pairs + i;
      angles.cosines[index] = static_cast<float>(std::cos(angle) * frequencies.attention_factor);
      angles.sines[index] = static_cast<float>(std::sin(angle) * frequencies.attention_factor);
    }
  }
  return angles;
}

void apply_rope(const RopeAngles& angles, float* x, int64_t num_heads, int64_t head_dim,
                int64_t token_stride, Threads threads) {
  ANYBIT_CHECK(num_heads > 0 && head_dim >= 2 * angles.num_pairs);
  ANYBIT_CHECK(token_stride >= num_heads * head_dim);
  RopeToken* const function = best_variant(rope_variants(), CpuFeatures::host());
  parallel_for(threads, angles.num_tokens, std::max<int64_t>(1, kGrain / (num_heads * head_dim)),
               [&](int64_t begin, int64_t end) {
                 for (int64_t token = begin; token < end; ++token) {
                   function(angles.pairing, angles.cosines.data() + token * angles.num_pairs,
                            angles.sines.data() + token * angles.num_pairs, angles.num_pairs,
                            x + token * token_stride, num_heads, head_dim);
                 }
               });
}

}  // namespace anybit::kernel
