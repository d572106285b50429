#include <cmath>
#include <numbers>

#include "anybit/kernel/activation/internal/activation_functions.h"

namespace anybit::kernel::internal {
namespace {

double activate(Activation activation, double x) {
  switch (activation) {
    case Activation::kSilu: return x / (1 + std::exp(-x));
    case Activation::kGeluTanh: {
      // 1 + tanh(u) as 2 / (1 + exp(-2 u)): the same function without cancellation.
      const double u = std::sqrt(2 / std::numbers::pi) * (x + 0.044715 * x * x * x);
      return x / (1 + std::exp(-2 * u));
    }
    case Activation::kGelu: return x / 2 * std::erfc(-x / std::numbers::sqrt2);
    case Activation::kRelu: return x < 0 ? 0 : x;
  }
  return x;
}

}  // namespace

void gated_activation_reference(Activation activation, const float* gate, const float* up,
                                int64_t count, float* out) {
  for (int64_t i = 0; i < count; ++i) {
    out[i] = static_cast<float>(activate(activation, gate[i]) * (up ? up[i] : 1.0));
  }
}

void exponential_reference(const float* x, int64_t count, float* out) {
  for (int64_t i = 0; i < count; ++i) out[i] = static_cast<float>(std::exp(double{x[i]}));
}

}  // namespace anybit::kernel::internal
