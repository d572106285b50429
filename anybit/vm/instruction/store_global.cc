#include "anybit/vm/instruction/internal/rules.h"

namespace anybit::vm {
namespace {

Result<std::optional<TensorType>> infer_type(const InstructionView& view) {
  const TensorType& target = view.operand(0);
  ANYBIT_TRY(rules::check_same_element(target, view.operand(1), "store_global"));
  ANYBIT_TRY(rules::check_offsets(view.attribute<std::vector<Expr>>(0), target.rank(), "offset"));
  if (view.operand(1).rank() > target.rank()) {
    return fail(ErrorCode::kInvalidArgument, "a tile {} into a tensor of rank {}",
                shape_text(view.operand(1).shape), target.rank());
  }
  return rules::no_result();
}

}  // namespace

const InstructionInfo& store_global_instruction() {
  static const InstructionInfo kInfo = {
      .name = "store_global",
      .summary = "Writes a tile into a global tensor.",
      .details =
          "Element x of the tile goes to element x + offset; a tile of lower rank spans the last "
          "dimensions. Elements outside the tensor are not written. Where several threads hold an "
          "element, one of them writes it. Elements of less than a byte are written by threads "
          "that hold whole bytes of them, or the program is refused. `in_bounds=true` promises "
          "that the "
          "tile lies inside.",
      .example = "store_global(%y, %v, offset=[block.x * 64, 0])",
      .operands = {{"global", MemorySpace::kGlobal}, {"tile", MemorySpace::kRegister}},
      .attributes = {{"offset", AttributeKind::kExprs}, {"in_bounds", AttributeKind::kFlag, true}},
      .effects = kWritesGlobal,
      .infer_type = infer_type,
      .propose_layouts = rules::propose_default_operand};
  return kInfo;
}

}  // namespace anybit::vm
