#include "anybit/vm/instruction/internal/rules.h"

namespace anybit::vm {
namespace {

Result<std::optional<TensorType>> infer_type(const InstructionView& view) {
  const TensorType &target = view.operand(0), &source = view.operand(1);
  ANYBIT_TRY(rules::check_same_element(target, source, "copy_async"));
  ANYBIT_TRY(rules::check_offsets(view.attribute<std::vector<Expr>>(0), source.rank(), "offset"));
  if (target.rank() > source.rank()) {
    return fail(ErrorCode::kInvalidArgument, "a tile {} of a tensor of rank {}",
                shape_text(target.shape), source.rank());
  }
  if (view.has_attribute(2) && view.attribute<Expr>(2).type() != ScalarType::kBool) {
    return fail(ErrorCode::kInvalidArgument, "condition: expected bool, found {}",
                scalar_type_name(view.attribute<Expr>(2).type()));
  }
  return rules::no_result();
}

}  // namespace

const InstructionInfo& copy_async_instruction() {
  static const InstructionInfo kInfo = {
      .name = "copy_async",
      .summary = "Starts copying a tile of a global tensor into a shared tile.",
      .details =
          "Element x of the shared tile becomes element x + offset of the tensor, code 0 outside "
          "it. "
          "The bytes may be read after `copy_async_commit`, a `copy_async_wait` that covers the "
          "group, and a `sync`. Needs runs of 4, 8 or 16 bytes that are contiguous and aligned in "
          "both; a program where that cannot be proved is refused with the reason. "
          "`in_bounds=true` "
          "promises that the tile lies inside. With `condition=` nothing is copied unless it "
          "holds; "
          "the offset is evaluated in any case.",
      .example = "copy_async(%s, %x, offset=[row, k])",
      .operands = {{"shared", MemorySpace::kShared}, {"global", MemorySpace::kGlobal}},
      .attributes = {{"offset", AttributeKind::kExprs},
                     {"in_bounds", AttributeKind::kFlag, true},
                     {"condition", AttributeKind::kExpr, true}},
      .effects = kReadsGlobal | kWritesShared,
      .infer_type = infer_type};
  return kInfo;
}

}  // namespace anybit::vm
