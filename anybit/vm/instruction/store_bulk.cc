#include "anybit/vm/instruction/internal/rules.h"

namespace anybit::vm {
namespace {

Result<std::optional<TensorType>> infer_type(const InstructionView& view) {
  const TensorType &target = view.operand(0), &source = view.operand(1);
  ANYBIT_TRY(rules::check_bulk_tile(source, target));
  ANYBIT_TRY(rules::check_offsets(view.attribute<std::vector<Expr>>(0), target.rank(), "offset"));
  return rules::no_result();
}

}  // namespace

const InstructionInfo& store_bulk_instruction() {
  static const InstructionInfo kInfo = {
      .name = "store_bulk",
      .summary = "Starts one bulk copy of a shared tile into a global tensor.",
      .details =
          "Element x of the shared tile goes to element x + offset of the tensor; what lies "
          "outside "
          "is not written. The first thread that executes it starts the copy, as part of the group "
          "that its next `store_bulk_commit` closes. Threads that wrote the tile execute "
          "`fence_async` and then a `sync` before. The tile may be written again after a "
          "`store_bulk_wait` of that thread that covers the group, and a `sync`; the kernel may "
          "not "
          "end before such a wait. Tiles and tensors are as `copy_bulk` needs them. Compute "
          "capability 9.0 and later.",
      .example = "store_bulk(%y, %out, offset=[row, 0])",
      .operands = {{"global", MemorySpace::kGlobal}, {"shared", MemorySpace::kShared}},
      .attributes = {{"offset", AttributeKind::kExprs}},
      .effects = kWritesGlobal | kReadsShared | kOther,
      .infer_type = infer_type};
  return kInfo;
}

}  // namespace anybit::vm
