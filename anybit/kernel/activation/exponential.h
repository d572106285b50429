// The vectorised exponential that activations, softmax and attention share, by itself.
#pragma once

#include <cstdint>
#include <span>

#include "anybit/kernel/variant.h"

namespace anybit::kernel {

/// out[i] = exp(x[i]); out may be x.
/// Elements: right to 2 ulp of the result, or of 2^-149 where that is subnormal; beyond the range
/// of f32 infinity or 0; NaN stays NaN.
void exponential(const float* x, int64_t count, float* out);

/// The whole operation, as above.
using ExponentialFunction = void(const float* x, int64_t count, float* out);

/// Every implementation, best first.
std::span<const Variant<ExponentialFunction>> exponential_variants();

}  // namespace anybit::kernel
