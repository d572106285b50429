#include "anybit/vm/instruction/internal/rules.h"

namespace anybit::vm {
namespace {

Result<std::optional<TensorType>> infer_type(const InstructionView& view) {
  const TensorType &condition = view.operand(0), &a = view.operand(1), &b = view.operand(2);
  if (condition.element != kBool) {
    return fail(ErrorCode::kInvalidArgument, "select: a condition of {}, expected uint1",
                tile_element_name(condition.element));
  }
  ANYBIT_TRY(rules::check_same_element(a, b, "select"));
  ANYBIT_ASSIGN(std::vector<int64_t> shape, rules::broadcast_shape(a.shape, b.shape));
  ANYBIT_ASSIGN(shape, rules::broadcast_shape(shape, condition.shape));
  return register_type(a.element, std::move(shape));
}

}  // namespace

const InstructionInfo& select_instruction() {
  static const InstructionInfo kInfo = {
      .name = "select",
      .summary = "Elements of a where the condition is 1, of b where it is 0.",
      .details = "Bits are copied: any element format will do. Shapes broadcast as in `add`.",
      .example = "%y = select(%m, %a, %b)",
      .operands = {{"condition", MemorySpace::kRegister},
                   {"a", MemorySpace::kRegister},
                   {"b", MemorySpace::kRegister}},
      .result = ResultKind::kAlways,
      .infer_type = infer_type,
      .propose_layouts = rules::propose_elementwise,
      .required_layout = rules::require_elementwise};
  return kInfo;
}

}  // namespace anybit::vm
