#include "anybit/kernel/activation/internal/activation_functions.h"
#include "anybit/kernel/activation/internal/activation_vector.h"

namespace anybit::kernel::internal {

void gated_activation_avx512(Activation activation, const float* gate, const float* up,
                             int64_t count, float* out) {
  gated_activation_vector(activation, gate, up, count, out);
}

void exponential_avx512(const float* x, int64_t count, float* out) {
  exponential_vector(x, count, out);
}

}  // namespace anybit::kernel::internal
