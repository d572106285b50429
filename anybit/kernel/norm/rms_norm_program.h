// RMSNorm over rows, as a VM program.
#pragma once

#include "anybit/kernel/row_schedule.h"
#include "anybit/vm/ir/program.h"

namespace anybit::kernel {

/// y[r, :] = x[r, :] / sqrt(mean(x[r, :]^2) + epsilon) * weight, computed in f32.
/// Parameters: x: ptr [rows, columns], weight: ptr [columns], y: ptr [rows, columns], rows: i32,
/// epsilon: f32. Elements: f32, f16 or bf16. Pre: columns is a multiple of 1024, at most 16384.
Result<vm::Program> rms_norm_program(const numeric::ElementFormat& element, int64_t columns,
                                     const RowSchedule& schedule);
Result<vm::Program> rms_norm_program(const numeric::ElementFormat& element, int64_t columns);

}  // namespace anybit::kernel
