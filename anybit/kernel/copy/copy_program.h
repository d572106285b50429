// Copying and transposing, as VM programs.
#pragma once

#include "anybit/vm/ir/program.h"

namespace anybit::kernel {

/// How copy_program is cut into CTAs.
struct CopySchedule {
  int64_t words = 4096;  // Of a CTA: a multiple of 4 for every thread.
  int num_warps = 8;
};

/// y[i] = x[i] for n elements of 32 bits. Parameters: x: ptr, y: ptr, n: i32.
/// Pre at launch: n is a multiple of 4.
Result<vm::Program> copy_program(const CopySchedule& schedule = {});

/// y[j, i] = x[i, j]. Parameters: x: ptr [rows, columns], y: ptr [columns, rows], rows: i32,
/// columns: i32. Pre at launch: both multiples of 64. Element: f32 or f16.
Result<vm::Program> transpose_program(const numeric::ElementFormat& element);

}  // namespace anybit::kernel
