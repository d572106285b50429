#include "anybit/vm/instruction/internal/rules.h"

namespace anybit::vm {
namespace {

Result<std::optional<TensorType>> infer_type(const InstructionView& view) {
  ANYBIT_TRY(check_operand_class(unary_operators()[view.integer(0)], view.operand(0).element));
  return register_type(view.operand(0).element, view.operand(0).shape);
}

}  // namespace

const InstructionInfo& unary_instruction() {
  static const std::vector<std::string_view> kNames = rules::operator_names(unary_operators());
  static const InstructionInfo kInfo = {
      .name = "unary",
      .summary = "An operator of one tile, element by element.",
      .details =
          "Written by the operator's name. f32 results of `exp2` and its like are those of "
          "vm/exact_math.h on every backend, bit for bit; f16 and bf16 are computed in f32 and "
          "rounded once. Integers wrap.",
      .example = "%e = exp2(%x)",
      .operands = {{"x", MemorySpace::kRegister}},
      .attributes = {{"op", AttributeKind::kName, false, kNames}},
      .result = ResultKind::kAlways,
      .infer_type = infer_type,
      .propose_layouts = rules::propose_elementwise,
      .required_layout = rules::require_elementwise};
  return kInfo;
}

}  // namespace anybit::vm
