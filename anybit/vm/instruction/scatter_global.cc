#include "anybit/vm/instruction/internal/rules.h"

namespace anybit::vm {
namespace {

Result<std::optional<TensorType>> infer_type(const InstructionView& view) {
  if (view.operand(0).rank() != 1) {
    return fail(ErrorCode::kInvalidArgument, "scatter_global writes a tensor of rank 1, found {}",
                view.operand(0).rank());
  }
  if (view.operand(1).element != kInt32) {
    return fail(ErrorCode::kInvalidArgument, "indices of {}, expected int32",
                tile_element_name(view.operand(1).element));
  }
  if (view.operand(0).element.bits % 8 != 0) {
    return fail(ErrorCode::kInvalidArgument, "scatter_global writes whole bytes, found {}",
                tile_element_name(view.operand(0).element));
  }
  ANYBIT_TRY(rules::check_same_element(view.operand(0), view.operand(2), "scatter_global"));
  ANYBIT_TRY(
      rules::check_same_shape(view.operand(1).shape, view.operand(2).shape, "indices and values"));
  return rules::no_result();
}

std::optional<layout::RegisterLayout> required_layout(const InstructionView& view, size_t operand) {
  if (operand != 2) return std::nullopt;
  return view.operand(1).register_layout;
}

}  // namespace

const InstructionInfo& scatter_global_instruction() {
  static const InstructionInfo kInfo = {
      .name = "scatter_global",
      .summary = "Writes values to the elements of a global tensor that a tile of indices names.",
      .details =
          "values[x] goes to element indices[x]; indices outside the tensor write nothing. Which "
          "of "
          "several values for one index stays is not defined.",
      .example = "scatter_global(%y, %indices, %values)",
      .operands = {{"global", MemorySpace::kGlobal},
                   {"indices", MemorySpace::kRegister},
                   {"values", MemorySpace::kRegister}},
      .effects = kWritesGlobal,
      .infer_type = infer_type,
      .propose_layouts = rules::propose_default_operand,
      .required_layout = required_layout};
  return kInfo;
}

}  // namespace anybit::vm
