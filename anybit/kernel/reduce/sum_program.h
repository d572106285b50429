// The sum of an array, as a VM program.
#pragma once

#include "anybit/vm/ir/program.h"

namespace anybit::kernel {

/// y[0] += x[0] + ... + x[n - 1] in f32; the order of the CTAs' partial sums is not defined.
/// Parameters: x: ptr, y: ptr, n: i32. Pre at launch: n is a multiple of 4; y[0] is set.
Result<vm::Program> sum_program();

}  // namespace anybit::kernel
