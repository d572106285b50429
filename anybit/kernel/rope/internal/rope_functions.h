// The implementations that rope.cc lists.
#pragma once

#include "anybit/kernel/rope/rope.h"

namespace anybit::kernel::internal {

RopeToken rope_reference, rope_avx2, rope_avx512;

}  // namespace anybit::kernel::internal
