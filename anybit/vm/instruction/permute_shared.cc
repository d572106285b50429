#include "anybit/vm/instruction/internal/rules.h"

namespace anybit::vm {
namespace {

Result<std::optional<TensorType>> infer_type(const InstructionView& view) {
  const TensorType& source = view.operand(0);
  ANYBIT_ASSIGN(std::vector<int64_t> shape,
                rules::permuted_shape(source.shape, view.attribute<std::vector<int64_t>>(0)));
  return shared_type(source.element, std::move(shape));
}

}  // namespace

const InstructionInfo& permute_shared_instruction() {
  static const InstructionInfo kInfo = {
      .name = "permute_shared",
      .summary = "A shared tile with its dimensions in another order, without copying.",
      .details = "Dimension d of the result is dimension dims[d] of the operand.",
      .example = "%t = permute_shared(%s, dims=[1, 0])",
      .operands = {{"shared", MemorySpace::kShared}},
      .attributes = {{"dims", AttributeKind::kIntegers}},
      .result = ResultKind::kAlways,
      .infer_type = infer_type};
  return kInfo;
}

}  // namespace anybit::vm
