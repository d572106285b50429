// Instruction selection for tensor-core fragments that go to and from shared memory.
#pragma once

#include <string>

#include "anybit/vm/backend/cuda/emit/internal/emitter.h"

namespace anybit::vm::cuda {

/// Declares `array`, the words of a tile of `type`, and reads them from `shared` with ldmatrix, if
/// the layout is a product of 8x8 matrices of 16-bit pieces (or their transposes) whose rows are 16
/// aligned bytes in shared memory. False: it is not, and nothing was written.
bool emit_ldmatrix(Emitter& out, const std::string& array, const TensorType& type,
                   const SharedView& shared);

/// Writes the words of a tile to `shared` with stmatrix, under the same conditions, from sm_90 on
/// and if each element is in one thread. False: nothing was written.
bool emit_stmatrix(Emitter& out, const std::string& array, const TensorType& type,
                   const SharedView& shared);

}  // namespace anybit::vm::cuda
