#include "anybit/vm/instruction/internal/atomic.h"

namespace anybit::vm {

const InstructionInfo& atomic_global_instruction() {
  static const InstructionInfo kInfo = rules::atomic_instruction(
      "atomic_global", "Combines values into the elements of a global tensor that indices name.",
      "atomic_global(%histogram, %bins, %ones, op=add)", MemorySpace::kGlobal);
  return kInfo;
}

}  // namespace anybit::vm
