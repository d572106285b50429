// Reads of tensor-core fragments from shared memory.
#pragma once

#include "anybit/vm/backend/cuda/emit/internal/emitter.h"
#include "anybit/vm/pass/matrix_load.h"

namespace anybit::vm::cuda {

/// Writes the load_shared of `view` with ldmatrix.
void emit_ldmatrix(Emitter& out, const InstructionView& view, const MatrixLoadPlan& plan);

}  // namespace anybit::vm::cuda
