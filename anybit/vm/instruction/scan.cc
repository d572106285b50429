#include "anybit/vm/instruction/internal/rules.h"

namespace anybit::vm {
namespace {

enum : size_t { kOp, kDim, kExclusive };

Result<std::optional<TensorType>> infer_type(const InstructionView& view) {
  const TensorType& source = view.operand(0);
  const OperatorInfo& op = reduce_operators()[view.integer(kOp)];
  ANYBIT_TRY(check_operand_class(op, source.element));
  ANYBIT_TRY(rules::check_dimension(view.integer(kDim), source.rank()));
  return register_type(source.element, source.shape);
}

}  // namespace

const InstructionInfo& scan_instruction() {
  static const std::vector<std::string_view> kNames = rules::operator_names(reduce_operators());
  static const InstructionInfo kInfo = {
      .name = "scan",
      .summary = "Running combination of the elements along one dimension.",
      .details =
          "Element i of the result combines elements 0 to i of the operand, or 0 to i - 1 with "
          "`exclusive=true` (the first is then the operator's neutral element: 0, 1, the least or "
          "the greatest value). Elements are combined one after the other from the first, in the "
          "element's own format, rounding each time: the same bits for every layout.",
      .example = "%p = scan(%x, op=sum, dim=0)",
      .operands = {{"x", MemorySpace::kRegister}},
      .attributes = {{"op", AttributeKind::kName, false, kNames},
                     {"dim", AttributeKind::kInteger},
                     {"exclusive", AttributeKind::kFlag, true}},
      .result = ResultKind::kAlways,
      .infer_type = infer_type,
      .propose_layouts = rules::propose_elementwise,
      .required_layout = rules::require_elementwise};
  return kInfo;
}

}  // namespace anybit::vm
