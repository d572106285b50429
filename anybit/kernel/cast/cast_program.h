// Casting arrays between element formats, as VM programs.
#pragma once

#include "anybit/vm/ir/program.h"

namespace anybit::kernel {

/// y[i] = x[i] in another element format, for n elements; both packed canonically.
/// Parameters: x: ptr, y: ptr, n: i32. Pre at launch: n is a multiple of 32.
Result<vm::Program> cast_program(const numeric::ElementFormat& from,
                                 const numeric::ElementFormat& to);

}  // namespace anybit::kernel
