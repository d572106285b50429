// The implementations that softmax.cc lists.
#pragma once

#include "anybit/kernel/softmax/softmax.h"

namespace anybit::kernel::internal {

extern const SoftmaxFunctions kSoftmaxReference;
extern const SoftmaxFunctions kSoftmaxAvx2;
extern const SoftmaxFunctions kSoftmaxAvx512;

}  // namespace anybit::kernel::internal
