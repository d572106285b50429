#include "anybit/vm/instruction/internal/rules.h"

namespace anybit::vm {
namespace {

Result<std::optional<TensorType>> infer_type(const InstructionView& view) {
  ANYBIT_TRY(rules::check_same_element(view.operand(0), view.operand(1), "store_shared"));
  ANYBIT_TRY(rules::check_same_shape(view.operand(0).shape, view.operand(1).shape, "store_shared"));
  return rules::no_result();
}

}  // namespace

const InstructionInfo& store_shared_instruction() {
  static const InstructionInfo kInfo = {
      .name = "store_shared",
      .summary = "Writes a register tile into a shared tile of its shape.",
      .details =
          "Where several threads hold an element, one of them writes it. Elements of less than a "
          "byte are written by threads that hold whole bytes of them, or the program is refused. "
          "Other threads see it after a `sync`.",
      .example = "store_shared(%s, %v)",
      .operands = {{"shared", MemorySpace::kShared}, {"tile", MemorySpace::kRegister}},
      .effects = kWritesShared,
      .infer_type = infer_type,
      .propose_layouts = rules::propose_default_operand};
  return kInfo;
}

}  // namespace anybit::vm
