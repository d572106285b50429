// Softmax over rows, as a VM program.
#pragma once

#include "anybit/kernel/row_schedule.h"
#include "anybit/vm/ir/program.h"

namespace anybit::kernel {

/// y[r, :] = exp(x[r, :] - max) / sum, computed in f32, for rows of `columns` elements.
/// Parameters: x: ptr [rows, columns], y: ptr [rows, columns], rows: i32.
/// Elements: f32, f16 or bf16. Pre: columns is a multiple of 1024, at most 16384.
Result<vm::Program> softmax_program(const numeric::ElementFormat& element, int64_t columns,
                                    const RowSchedule& schedule);
/// With 16 elements a thread: enough loads in flight, few warps at each barrier.
Result<vm::Program> softmax_program(const numeric::ElementFormat& element, int64_t columns);

}  // namespace anybit::kernel
