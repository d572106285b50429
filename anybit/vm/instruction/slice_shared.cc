#include "anybit/vm/instruction/internal/rules.h"

namespace anybit::vm {
namespace {

enum : size_t { kOffset, kShape };

Result<std::optional<TensorType>> infer_type(const InstructionView& view) {
  const TensorType& source = view.operand(0);
  ANYBIT_TRY(
      rules::check_offsets(view.attribute<std::vector<Expr>>(kOffset), source.rank(), "offset"));
  const auto& shape = view.attribute<std::vector<int64_t>>(kShape);
  ANYBIT_TRY(check_tile_shape(shape));
  if (shape.size() != source.rank()) {
    return fail(ErrorCode::kInvalidArgument, "shape {} of a slice of {}", shape_text(shape),
                shape_text(source.shape));
  }
  for (size_t d = 0; d < shape.size(); ++d) {
    const auto offset = view.attribute<std::vector<Expr>>(kOffset)[d].as_integer();
    if (shape[d] > source.shape[d] ||
        (offset && (*offset < 0 || *offset > source.shape[d] - shape[d]))) {
      return fail(ErrorCode::kInvalidArgument, "slice {} at {} in dimension {} leaves {}",
                  shape_text(shape), offset.value_or(0), d, shape_text(source.shape));
    }
  }
  return shared_type(source.element, shape);
}

}  // namespace

const InstructionInfo& slice_shared_instruction() {
  static const InstructionInfo kInfo = {
      .name = "slice_shared",
      .summary = "A part of a shared tile, without copying.",
      .details =
          "Element x of the result is element x + offset of the operand; both name the same bytes. "
          "Leaving the operand is an error of the program.",
      .example = "%stage = slice_shared(%s, offset=[k % 3, 0, 0], shape=[1, 64, 32])",
      .operands = {{"shared", MemorySpace::kShared}},
      .attributes = {{"offset", AttributeKind::kExprs}, {"shape", AttributeKind::kIntegers}},
      .result = ResultKind::kAlways,
      .infer_type = infer_type};
  return kInfo;
}

}  // namespace anybit::vm
