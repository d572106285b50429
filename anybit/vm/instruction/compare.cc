#include "anybit/vm/instruction/internal/rules.h"

namespace anybit::vm {
namespace {

Result<std::optional<TensorType>> infer_type(const InstructionView& view) {
  const TensorType &a = view.operand(0), &b = view.operand(1);
  const OperatorInfo& op = compare_operators()[view.integer(0)];
  ANYBIT_TRY(rules::check_same_element(a, b, op.name));
  ANYBIT_TRY(check_operand_class(op, a.element));
  ANYBIT_ASSIGN(std::vector<int64_t> shape, rules::broadcast_shape(a.shape, b.shape));
  return register_type(kBool, std::move(shape));
}

}  // namespace

const InstructionInfo& compare_instruction() {
  static const std::vector<std::string_view> kNames = rules::operator_names(compare_operators());
  static const InstructionInfo kInfo = {
      .name = "compare",
      .summary = "Compares two tiles, element by element, with broadcasting.",
      .details =
          "Written by the operator's name. The result is a tile of uint1. NaN is unequal to "
          "everything; -0 equals +0.",
      .example = "%m = less(%a, %b)",
      .operands = {{"a", MemorySpace::kRegister}, {"b", MemorySpace::kRegister}},
      .attributes = {{"op", AttributeKind::kName, false, kNames}},
      .result = ResultKind::kAlways,
      .infer_type = infer_type,
      .propose_layouts = rules::propose_elementwise,
      .required_layout = rules::require_elementwise};
  return kInfo;
}

}  // namespace anybit::vm
