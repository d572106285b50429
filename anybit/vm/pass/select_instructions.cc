// Instruction selection: which instructions of the machine carry out a load or copy.
#include "anybit/vm/ir/instruction_info.h"
#include "anybit/vm/pass/code_plan.h"

namespace anybit::vm {
namespace {

Result<CopyPlan> select_copy(const InstructionView& view, const CodePlan& plan,
                             const ScalarAnalysis& scalars) {
  const TensorType& shared = view.operand(0);
  auto copy = plan_copy_async(view.operand(1), view.attribute<std::vector<Expr>>(0),
                              view.integer(1) == 1, plan.shared.view(view.instruction.operands[0]),
                              shared.shape, view.num_threads, scalars);
  if (copy) return std::move(*copy);
  return fail(ErrorCode::kUnsupported,
              "no runs of 4, 8 or 16 bytes of {} {} are proved contiguous and aligned in both "
              "memories; assume() what divides offsets, extents and strides",
              tile_element_name(shared.element), shape_text(shared.shape));
}

Status select(const InstructionView& view, const ScalarAnalysis& scalars, const CodePlan& plan,
              StatementPlan& statement) {
  if (view.instruction.opcode == Opcode::kLoadShared) {
    auto matrices = plan_matrix_load(view.result(), plan.shared.view(view.instruction.operands[0]),
                                     view.num_threads, scalars);
    if (matrices) statement = std::move(*matrices);
  }
  if (view.instruction.opcode == Opcode::kCopyAsync) {
    ANYBIT_ASSIGN(statement, select_copy(view, plan, scalars));
  }
  return {};
}

}  // namespace

Status select_instructions(const Program& program, CodePlan& plan) {
  const ScalarAnalysis scalars(program);
  Status status;
  size_t number = 0;
  for_each_site(
      program.body, program.num_threads(), number,
      [&](size_t n, const Statement& s, int64_t num_threads) {
        if (!status || s.kind != StatementKind::kInstruction) return;
        status = select({program, s.instruction, num_threads}, scalars, plan, plan.statements[n]);
        if (status) return;
        const std::string line =
            s.location.line > 0 ? fmt::format("line {}: ", s.location.line) : "";
        status = with_context(status.error(), line + std::string(instruction_name(s.instruction)));
      });
  return status;
}

}  // namespace anybit::vm
