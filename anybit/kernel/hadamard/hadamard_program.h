// The Walsh-Hadamard transform of rows, as a VM program.
#pragma once

#include "anybit/vm/ir/program.h"

namespace anybit::kernel {

/// y[r, :] = H x[r, :] / sqrt(columns), H(i, j) = (-1)^popcount(i & j), computed in f32.
/// Parameters: x: ptr [rows, columns], y: ptr [rows, columns], rows: i32.
/// Elements: f32, f16 or bf16. Pre: columns is a power of two from 256 to 4096.
Result<vm::Program> hadamard_program(const numeric::ElementFormat& element, int64_t columns);

}  // namespace anybit::kernel
