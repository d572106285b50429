// The implementations that activation.cc and exponential.cc list.
#pragma once

#include "anybit/kernel/activation/activation.h"
#include "anybit/kernel/activation/exponential.h"

namespace anybit::kernel::internal {

GatedActivation gated_activation_reference, gated_activation_avx2, gated_activation_avx512;
ExponentialFunction exponential_reference, exponential_avx2, exponential_avx512;

}  // namespace anybit::kernel::internal
