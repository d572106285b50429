// The histogram of bytes, as a VM program.
#pragma once

#include "anybit/vm/ir/program.h"

namespace anybit::kernel {

/// counts[b] += number of i with x[i] = b, for the n bytes of x.
/// Parameters: x: ptr uint8 [n], counts: ptr int32 [256], n: i32. Pre at launch: n is a multiple
/// of 16.
Result<vm::Program> histogram_program();

}  // namespace anybit::kernel
