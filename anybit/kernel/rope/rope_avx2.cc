#include "anybit/kernel/rope/internal/rope_functions.h"
#include "anybit/kernel/rope/internal/rope_vector.h"

namespace anybit::kernel::internal {

void rope_avx2(RopePairing pairing, const float* cosines, const float* sines, int64_t num_pairs,
               float* x, int64_t num_heads, int64_t head_dim) {
  rope_vector(pairing, cosines, sines, num_pairs, x, num_heads, head_dim);
}

}  // namespace anybit::kernel::internal
