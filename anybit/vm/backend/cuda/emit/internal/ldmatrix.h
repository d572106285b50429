// Instruction selection for reads of tensor-core fragments from shared memory.
#pragma once

#include "anybit/vm/backend/cuda/emit/internal/emitter.h"

namespace anybit::vm::cuda {

/// Writes the load_shared of `view` with ldmatrix, if its layout is a product of 8x8 matrices of
/// 16-bit pieces (or their transposes) whose rows are 16 aligned bytes in shared memory.
/// False: it is not, and nothing was written.
bool emit_ldmatrix(Emitter& out, const InstructionView& view);

}  // namespace anybit::vm::cuda
