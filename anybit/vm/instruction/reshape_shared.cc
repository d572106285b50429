#include "anybit/vm/instruction/internal/rules.h"

namespace anybit::vm {
namespace {

Result<std::optional<TensorType>> infer_type(const InstructionView& view) {
  const TensorType& source = view.operand(0);
  const auto& shape = view.attribute<std::vector<int64_t>>(0);
  ANYBIT_TRY(check_tile_shape(shape));
  TensorType result = shared_type(source.element, shape);
  if (result.num_elements() != source.num_elements()) {
    return fail(ErrorCode::kInvalidArgument, "{} elements of {} do not fill {}",
                source.num_elements(), shape_text(source.shape), shape_text(shape));
  }
  return result;
}

}  // namespace

const InstructionInfo& reshape_shared_instruction() {
  static const InstructionInfo kInfo = {
      .name = "reshape_shared",
      .summary = "A shared tile under another shape, without copying.",
      .details =
          "Elements keep their row-major order. The layout of the operand must allow it: extents "
          "may "
          "be split, and dimensions merged where their strides are those of one.",
      .example = "%t = reshape_shared(%s, shape=[64, 32])",
      .operands = {{"shared", MemorySpace::kShared}},
      .attributes = {{"shape", AttributeKind::kIntegers}},
      .result = ResultKind::kAlways,
      .infer_type = infer_type};
  return kInfo;
}

}  // namespace anybit::vm
