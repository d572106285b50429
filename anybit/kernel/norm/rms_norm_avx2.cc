#include "anybit/kernel/norm/internal/rms_norm_functions.h"
#include "anybit/kernel/norm/internal/rms_norm_vector.h"

namespace anybit::kernel::internal {

void rms_norm_avx2(const float* x, const float* weight, int64_t row_size,
                   const RmsNormParameters& parameters, float* out) {
  rms_norm_vector(x, weight, row_size, parameters, out);
}

}  // namespace anybit::kernel::internal
