#include "anybit/vm/instruction/internal/atomic.h"

namespace anybit::vm::rules {
namespace {

Result<std::optional<TensorType>> infer_type(const InstructionView& view) {
  const TensorType &target = view.operand(0), &indices = view.operand(1);
  if (target.rank() != 1) {
    return fail(ErrorCode::kInvalidArgument, "the target of an atomic has rank 1, found {}",
                target.rank());
  }
  if (indices.element != kInt32) {
    return fail(ErrorCode::kInvalidArgument, "indices of {}, expected int32",
                tile_element_name(indices.element));
  }
  ANYBIT_TRY(check_same_element(target, view.operand(2), "atomic"));
  ANYBIT_TRY(check_same_shape(indices.shape, view.operand(2).shape, "indices and values"));
  const OperatorInfo& op = atomic_operators()[view.integer(0)];
  const bool is_float = target.element == numeric::kF32;
  if (!is_float && target.element != kInt32 && target.element != kUint32) {
    return fail(ErrorCode::kInvalidArgument, "atomics take int32, uint32, f32, found {}",
                tile_element_name(target.element));
  }
  ANYBIT_TRY(check_operand_class(op, target.element));
  if (view.instruction.result == kNoValue) return no_result();
  return register_type(target.element, indices.shape);
}

std::vector<LayoutProposal> propose_layouts(const InstructionView& view, RulePriority priority) {
  const Instruction& instruction = view.instruction;
  const ValueId ids[] = {instruction.operands[1], instruction.operands[2], instruction.result};
  if (priority == RulePriority::kForward || priority == RulePriority::kBackward) {
    for (const ValueId known : ids) {
      if (known == kNoValue || !view.program.type_of(known).register_layout) continue;
      for (const ValueId id : ids) {
        if (id == kNoValue || view.program.type_of(id).register_layout) continue;
        return {{id, *view.program.type_of(known).register_layout,
                 "indices, values and results of an atomic are laid out alike"}};
      }
    }
    return {};
  }
  return propose_default_operand(view, priority);
}

std::optional<layout::RegisterLayout> required_layout(const InstructionView& view, size_t operand) {
  if (operand == 0) return std::nullopt;
  if (view.instruction.result != kNoValue) return view.result().register_layout;
  return operand == 2 ? view.operand(1).register_layout : std::nullopt;
}

}  // namespace

InstructionInfo atomic_instruction(std::string_view name, std::string_view summary,
                                   std::string_view example, MemorySpace space) {
  static const std::vector<std::string_view> kNames = operator_names(atomic_operators());
  return {.name = name,
          .summary = summary,
          .details =
              "For each element x, target[indices[x]] = op(target[indices[x]], values[x]), "
              "indivisibly; indices outside the target do nothing. The target has rank 1 and "
              "elements of int32, uint32 or f32 (f32: add and exchange only). The order of updates "
              "is not defined: sums of floats may differ from run to run. The result, if wanted, "
              "is what stood there before, 0 for indices outside.",
          .example = example,
          .operands = {{"target", space},
                       {"indices", MemorySpace::kRegister},
                       {"values", MemorySpace::kRegister}},
          .attributes = {{"op", AttributeKind::kName, false, kNames}},
          .result = ResultKind::kOptional,
          .effects = space == MemorySpace::kShared ? kReadsShared | kWritesShared
                                                   : kReadsGlobal | kWritesGlobal,
          .infer_type = infer_type,
          .propose_layouts = propose_layouts,
          .required_layout = required_layout};
}

}  // namespace anybit::vm::rules
