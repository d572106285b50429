#include "anybit/vm/instruction/internal/rules.h"

namespace anybit::vm {
namespace {

Result<std::optional<TensorType>> infer_type(const InstructionView& view) {
  const TensorType &a = view.operand(0), &b = view.operand(1);
  const OperatorInfo& op = binary_operators()[view.integer(0)];
  ANYBIT_TRY(rules::check_same_element(a, b, op.name));
  ANYBIT_TRY(check_operand_class(op, a.element));
  ANYBIT_ASSIGN(std::vector<int64_t> shape, rules::broadcast_shape(a.shape, b.shape));
  return register_type(a.element, std::move(shape));
}

}  // namespace

const InstructionInfo& binary_instruction() {
  static const std::vector<std::string_view> kNames = rules::operator_names(binary_operators());
  static const InstructionInfo kInfo = {
      .name = "binary",
      .summary = "An operator of two tiles, element by element, with broadcasting.",
      .details =
          "Written by the operator's name. Shapes are aligned on the right; an extent of 1 "
          "repeats. "
          "Floats are rounded to nearest even once from the exact result; `min` and `max` prefer a "
          "number to NaN and take -0 for less than +0. Integers wrap; `div` and `mod` go toward "
          "zero, and dividing by 0 is an error of the program; shift counts are taken modulo the "
          "width.",
      .example = "%c = add(%a, %b)",
      .operands = {{"a", MemorySpace::kRegister}, {"b", MemorySpace::kRegister}},
      .attributes = {{"op", AttributeKind::kName, false, kNames}},
      .result = ResultKind::kAlways,
      .infer_type = infer_type,
      .propose_layouts = rules::propose_elementwise,
      .required_layout = rules::require_elementwise};
  return kInfo;
}

}  // namespace anybit::vm
