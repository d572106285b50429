// Register tiles rearranged within each thread.
#pragma once

#include <vector>

#include "anybit/vm/backend/cuda/emit/internal/emitter.h"

namespace anybit::vm::cuda {

/// Declares `result` and writes it: its code i is code places[i] of `source`, in every thread.
/// Pre: both have elements of the same width.
void emit_gathered_places(Emitter& out, ValueId result, ValueId source,
                          const std::vector<int64_t>& places);

}  // namespace anybit::vm::cuda
