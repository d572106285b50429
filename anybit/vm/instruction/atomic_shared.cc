#include "anybit/vm/instruction/internal/atomic.h"

namespace anybit::vm {

const InstructionInfo& atomic_shared_instruction() {
  static const InstructionInfo kInfo = rules::atomic_instruction(
      "atomic_shared", "Combines values into the elements of a shared tensor that indices name.",
      "atomic_shared(%histogram, %bins, %ones, op=add)", MemorySpace::kShared);
  return kInfo;
}

}  // namespace anybit::vm
