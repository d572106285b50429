#include "anybit/vm/instruction/internal/rules.h"

namespace anybit::vm {
namespace {

Result<std::optional<TensorType>> infer_type(const InstructionView& view) {
  ANYBIT_TRY(rules::check_same_element(view.operand(0), view.operand(1), "assign"));
  ANYBIT_TRY(rules::check_same_shape(view.operand(0).shape, view.operand(1).shape, "assign"));
  return rules::no_result();
}

std::vector<LayoutProposal> propose_layouts(const InstructionView& view, RulePriority priority) {
  const auto &target = view.operand(0).register_layout, &source = view.operand(1).register_layout;
  constexpr std::string_view kRule = "both sides of assign are laid out alike";
  if (priority == RulePriority::kForward && !target && source) {
    return {{view.instruction.operands[0], *source, kRule}};
  }
  if (priority == RulePriority::kBackward && target && !source) {
    return {{view.instruction.operands[1], *target, kRule}};
  }
  return {};
}

std::optional<layout::RegisterLayout> required_layout(const InstructionView& view, size_t operand) {
  if (operand == 0) return std::nullopt;
  return view.operand(0).register_layout;
}

}  // namespace

const InstructionInfo& assign_instruction() {
  static const InstructionInfo kInfo = {
      .name = "assign",
      .summary = "Overwrites a register tile.",
      .details =
          "How loops carry tiles: the accumulator is defined before the loop and assigned inside.",
      .example = "assign(%acc, %next)",
      .operands = {{"target", MemorySpace::kRegister}, {"source", MemorySpace::kRegister}},
      .effects = kWritesRegister,
      .infer_type = infer_type,
      .propose_layouts = propose_layouts,
      .required_layout = required_layout};
  return kInfo;
}

}  // namespace anybit::vm
