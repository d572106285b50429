// Offset and mask lowering, and vectorization: the runs of every load and store.
#include "anybit/vm/ir/instruction_info.h"
#include "anybit/vm/pass/code_plan.h"

namespace anybit::vm {
namespace {

class AccessPlanner {
 public:
  AccessPlanner(const Program& program, CodePlan& plan)
      : program_(program), plan_(plan), scalars_(program) {}

  StatementPlan plan(const Instruction& instruction, int64_t num_threads) const {
    const InstructionView view{program_, instruction, num_threads};
    switch (instruction.opcode) {
      case Opcode::kLoadGlobal: return global(view, view.result(), view.integer(3) == 1);
      case Opcode::kStoreGlobal: return global(view, view.operand(1), view.integer(1) == 1);
      case Opcode::kLoadShared: return shared(view, view.result());
      case Opcode::kStoreShared: return shared(view, view.operand(1));
      default: return {};
    }
  }

 private:
  GlobalAccessPlan global(const InstructionView& view, const TensorType& tile,
                          bool in_bounds) const {
    return plan_global_access(view.operand(0), view.attribute<std::vector<Expr>>(0),
                              *tile.register_layout, in_bounds, scalars_);
  }

  AccessPlan shared(const InstructionView& view, const TensorType& tile) const {
    return plan_shared_access(plan_.shared.view(view.instruction.operands[0]), tile.element.bits,
                              *tile.register_layout, scalars_);
  }

  const Program& program_;
  const CodePlan& plan_;
  const ScalarAnalysis scalars_;
};

}  // namespace

void plan_accesses(const Program& program, CodePlan& plan) {
  const AccessPlanner planner(program, plan);
  std::vector<StatementPlan> statements;
  size_t number = 0;
  for_each_site(program.body, program.num_threads(), number,
                [&](size_t, const Statement& s, int64_t num_threads) {
                  const bool is_instruction = s.kind == StatementKind::kInstruction;
                  statements.push_back(is_instruction ? planner.plan(s.instruction, num_threads)
                                                      : StatementPlan());
                });
  plan.statements = std::move(statements);
}

}  // namespace anybit::vm
