// Tensor-core fragments to and from shared memory by matrices.
#pragma once

#include <optional>
#include <string>

#include "anybit/vm/backend/cuda/emit/internal/emitter.h"
#include "anybit/vm/pass/matrix_load.h"

namespace anybit::vm::cuda {

/// Declares `array`, the words of a tile of `type`, and reads them from `shared` with ldmatrix.
void emit_ldmatrix(Emitter& out, const std::string& array, const TensorType& type,
                   const SharedView& shared, const MatrixLoadPlan& plan);

/// How stmatrix can write a tile: as ldmatrix reads it, from sm_90 on, if each element is in one
/// thread.
std::optional<MatrixLoadPlan> plan_stmatrix(const Emitter& out, const TensorType& type,
                                            const SharedView& shared);

/// Writes the words of a tile to `shared` with stmatrix.
void emit_stmatrix(Emitter& out, const std::string& array, const TensorType& type,
                   const SharedView& shared, const MatrixLoadPlan& plan);

}  // namespace anybit::vm::cuda
