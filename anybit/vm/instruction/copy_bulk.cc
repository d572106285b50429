#include "anybit/vm/instruction/internal/rules.h"

namespace anybit::vm {
namespace {

enum : size_t { kOffset, kIndex };

Result<std::optional<TensorType>> infer_type(const InstructionView& view) {
  const TensorType &target = view.operand(0), &source = view.operand(1);
  ANYBIT_TRY(rules::check_bulk_tile(target, source));
  ANYBIT_TRY(
      rules::check_offsets(view.attribute<std::vector<Expr>>(kOffset), source.rank(), "offset"));
  ANYBIT_TRY(rules::check_offsets(view.attribute<std::vector<Expr>>(kIndex), view.operand(2).rank(),
                                  "index"));
  return rules::no_result();
}

}  // namespace

const InstructionInfo& copy_bulk_instruction() {
  static const InstructionInfo kInfo = {
      .name = "copy_bulk",
      .summary = "Starts one bulk copy of a tile of a global tensor into a shared tile.",
      .details =
          "Element x of the shared tile becomes element x + offset of the tensor, code 0 outside "
          "it. The first thread that executes it starts the copy; its bytes, those of the whole "
          "tile, complete at a barrier where a `barrier_expect` announced them. They may be read "
          "after a `barrier_wait` for that phase; until then the tile may not be touched. Elements "
          "have 8, 16 or 32 bits (copy narrower ones as bytes and `view` them); extents of the "
          "tile are at most 256, its rows whole multiples of 16 bytes. The tensor has rank 1 to 5, "
          "extents that are known at launch, rows without gaps between elements, and other strides "
          "of multiples of 16 bytes. Unless annotated, the layout of the shared tile is row-major "
          "with the hardware's swizzle of the row's 128, 64 or 32 bytes, and without for other "
          "rows; a slice must be without gaps. Compute capability 9.0 and later.",
      .example = "copy_bulk(%a_stage, %a, %full, offset=[row, k], index=[k / 64 % 4])",
      .operands = {{"shared", MemorySpace::kShared},
                   {"global", MemorySpace::kGlobal},
                   {"barriers", MemorySpace::kShared, false, true}},
      .attributes = {{"offset", AttributeKind::kExprs}, {"index", AttributeKind::kExprs}},
      .effects = kReadsGlobal | kWritesShared | kOther,
      .infer_type = infer_type};
  return kInfo;
}

}  // namespace anybit::vm
