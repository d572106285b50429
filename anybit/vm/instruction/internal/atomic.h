// What atomic_global and atomic_shared say of themselves: they differ in the memory alone.
#pragma once

#include "anybit/vm/instruction/internal/rules.h"

namespace anybit::vm::rules {

/// The row of an atomic on a tensor in `space`.
InstructionInfo atomic_instruction(std::string_view name, std::string_view summary,
                                   std::string_view example, MemorySpace space);

}  // namespace anybit::vm::rules
