#include <cmath>

#include "anybit/kernel/norm/internal/rms_norm_functions.h"

namespace anybit::kernel::internal {

void rms_norm_reference(const float* x, const float* weight, int64_t row_size,
                        const RmsNormParameters& parameters, float* out) {
  double squares = 0;
  for (int64_t i = 0; i < row_size; ++i) squares += double{x[i]} * x[i];
  const double rms = std::sqrt(squares / static_cast<double>(row_size) + parameters.eps);
  for (int64_t i = 0; i < row_size; ++i) {
    const double factor = weight ? weight[i] + (parameters.adds_one_to_weight ? 1.0 : 0.0) : 1.0;
    out[i] = static_cast<float>(x[i] / rms * factor);
  }
}

}  // namespace anybit::kernel::internal
