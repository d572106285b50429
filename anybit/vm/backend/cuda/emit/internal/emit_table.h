// One function a row of instructions.def: writes the instruction.
#pragma once

#include "anybit/vm/backend/cuda/emit/internal/emitter.h"

namespace anybit::vm::cuda {

#define ANYBIT_VM_INSTRUCTION(enumerator, name) \
  Status emit_##name(Emitter& out, const InstructionView& view);
#include "anybit/vm/ir/instructions.def"
#undef ANYBIT_VM_INSTRUCTION

}  // namespace anybit::vm::cuda
