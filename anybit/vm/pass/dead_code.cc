#include "anybit/vm/pass/dead_code.h"

#include <algorithm>

#include "anybit/vm/ir/instruction_info.h"

namespace anybit::vm {
namespace {

class DeadCode {
 public:
  explicit DeadCode(const Program& program)
      : uses_(program.values.size(), 0), variable_uses_(program.variables.size(), 0) {
    for_each_statement(program.body, [&](const Statement& s) { count(s); });
    // What stands in the extents of a tensor is computed where the tensor is used.
    for (size_t id = 0; id < program.values.size(); ++id) {
      if (uses_[id] == 0) continue;
      for (const Expr& expr : program.values[id].type.extents) count(expr);
      for (const Expr& expr : program.values[id].type.strides) count(expr);
    }
  }

  /// True if something was removed.
  bool run(Block& block) {
    const size_t before = block.size();
    bool changed = false;
    for (Statement& s : block) {
      changed = run(s.body) || changed;
      changed = run(s.else_body) || changed;
      if (s.kind == StatementKind::kInstruction && drop_result(s.instruction)) changed = true;
    }
    std::erase_if(block, [&](const Statement& s) { return is_dead(s); });
    return changed || block.size() != before;
  }

 private:
  void count(const Expr& expr) {
    for_each_variable(expr, [&](VariableId id) { ++variable_uses_[id]; });
  }

  void count(const Statement& s) {
    for (const Expr& expr : s.expressions) count(expr);
    if (s.kind == StatementKind::kSet) ++variable_uses_[s.variable];
    if (s.kind != StatementKind::kInstruction) return;
    const bool frees = s.instruction.opcode == Opcode::kFreeShared;
    for (const ValueId id : s.instruction.operands) {
      if (id != kNoValue && !frees) ++uses_[id];
    }
    for (const Attribute& attribute : s.instruction.attributes) {
      if (const Expr* expr = std::get_if<Expr>(&attribute)) count(*expr);
      if (const auto* exprs = std::get_if<std::vector<Expr>>(&attribute)) {
        for (const Expr& expr : *exprs) count(expr);
      }
    }
  }

  bool drop_result(Instruction& instruction) const {
    const InstructionInfo& info = instruction_info(instruction.opcode);
    if (info.result != ResultKind::kOptional || instruction.result == kNoValue ||
        uses_[instruction.result] > 0) {
      return false;
    }
    instruction.result = kNoValue;
    return true;
  }

  bool is_dead(const Statement& s) const {
    switch (s.kind) {
      case StatementKind::kInstruction: return is_dead_instruction(s.instruction);
      case StatementKind::kLet: return variable_uses_[s.variable] == 0;
      case StatementKind::kIf: return s.body.empty() && s.else_body.empty();
      case StatementKind::kFor:
      case StatementKind::kThreads: return s.body.empty();
      default: return false;  // An empty while may wait for ever: that is its meaning.
    }
  }

  bool is_dead_instruction(const Instruction& instruction) const {
    if (instruction.opcode == Opcode::kAllocShared) return uses_[instruction.result] == 0;
    if (instruction.opcode == Opcode::kFreeShared) return uses_[instruction.operands[0]] == 0;
    const uint32_t effects = instruction_info(instruction.opcode).effects;
    if ((effects & ~uint32_t{kReadsGlobal | kReadsShared}) != 0) return false;
    return instruction.result != kNoValue && uses_[instruction.result] == 0;
  }

  std::vector<int> uses_;
  std::vector<int> variable_uses_;
};

}  // namespace

Result<Program> remove_dead_code(Program program) {
  while (DeadCode(program).run(program.body)) {
  }
  return program;
}

}  // namespace anybit::vm
