// The instructions of the VM by name; their table is instructions.def, what each means is in
// vm/instruction/<name>.cc.
#pragma once

#include <cstdint>

namespace anybit::vm {

enum class Opcode : uint8_t {
#define ANYBIT_VM_INSTRUCTION(enumerator, name) enumerator,
#include "anybit/vm/ir/instructions.def"
#undef ANYBIT_VM_INSTRUCTION
};

}  // namespace anybit::vm
