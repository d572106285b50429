#include "anybit/vm/ir/instruction_info.h"

#include <array>

#include "anybit/base/check.h"
#include "anybit/vm/ir/operators.h"

namespace anybit::vm {

#define ANYBIT_VM_INSTRUCTION(enumerator, name) const InstructionInfo& name##_instruction();
#include "anybit/vm/ir/instructions.def"
#undef ANYBIT_VM_INSTRUCTION

namespace {

constexpr auto kOpcodes = std::to_array<Opcode>({
#define ANYBIT_VM_INSTRUCTION(enumerator, name) Opcode::enumerator,
#include "anybit/vm/ir/instructions.def"
#undef ANYBIT_VM_INSTRUCTION
});

/// The instructions that are written by their operator's name.
struct OperatorTable {
  Opcode opcode;
  std::span<const OperatorInfo> (*operators)();
};
constexpr std::array<OperatorTable, 3> kOperatorTables = {{{Opcode::kUnary, unary_operators},
                                                           {Opcode::kBinary, binary_operators},
                                                           {Opcode::kCompare, compare_operators}}};

}  // namespace

const InstructionInfo& instruction_info(Opcode opcode) {
  switch (opcode) {
#define ANYBIT_VM_INSTRUCTION(enumerator, name) \
  case Opcode::enumerator:                      \
    return name##_instruction();
#include "anybit/vm/ir/instructions.def"
#undef ANYBIT_VM_INSTRUCTION
  }
  ANYBIT_CHECK(false);
}

std::optional<NamedInstruction> find_instruction(std::string_view name) {
  for (const OperatorTable& table : kOperatorTables) {
    const auto operators = table.operators();
    for (size_t i = 0; i < operators.size(); ++i) {
      if (operators[i].name == name) return NamedInstruction{table.opcode, static_cast<int64_t>(i)};
    }
  }
  for (const Opcode opcode : kOpcodes) {
    if (instruction_info(opcode).name == name) return NamedInstruction{opcode};
  }
  return std::nullopt;
}

std::string_view instruction_name(const Instruction& instruction) {
  for (const OperatorTable& table : kOperatorTables) {
    if (table.opcode != instruction.opcode) continue;
    return table.operators()[std::get<int64_t>(instruction.attributes[0])].name;
  }
  return instruction_info(instruction.opcode).name;
}

std::span<const Opcode> all_opcodes() { return kOpcodes; }

}  // namespace anybit::vm
