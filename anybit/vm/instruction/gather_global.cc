#include "anybit/vm/instruction/internal/rules.h"

namespace anybit::vm {
namespace {

Result<std::optional<TensorType>> infer_type(const InstructionView& view) {
  if (view.operand(0).rank() != 1) {
    return fail(ErrorCode::kInvalidArgument, "gather_global reads a tensor of rank 1, found {}",
                view.operand(0).rank());
  }
  if (view.operand(1).element != kInt32) {
    return fail(ErrorCode::kInvalidArgument, "indices of {}, expected int32",
                tile_element_name(view.operand(1).element));
  }
  return register_type(view.operand(0).element, view.operand(1).shape);
}

}  // namespace

const InstructionInfo& gather_global_instruction() {
  static const InstructionInfo kInfo = {
      .name = "gather_global",
      .summary = "Reads the elements of a global tensor that a tile of indices names.",
      .details =
          "Element x of the result is element indices[x] of the operand, code 0 where the index is "
          "outside it.",
      .example = "%v = gather_global(%table, %indices)",
      .operands = {{"global", MemorySpace::kGlobal}, {"indices", MemorySpace::kRegister}},
      .result = ResultKind::kAlways,
      .effects = kReadsGlobal,
      .infer_type = infer_type,
      .propose_layouts = rules::propose_elementwise,
      .required_layout = rules::require_elementwise};
  return kInfo;
}

}  // namespace anybit::vm
