// The implementations that rms_norm.cc lists.
#pragma once

#include "anybit/kernel/norm/rms_norm.h"

namespace anybit::kernel::internal {

RmsNormRow rms_norm_reference, rms_norm_avx2, rms_norm_avx512;

}  // namespace anybit::kernel::internal
