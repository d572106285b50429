#include "anybit/vm/instruction/internal/rules.h"

namespace anybit::vm {
namespace {

Result<std::optional<TensorType>> infer_type(const InstructionView& view) {
  if (!view.has_operand(0) && !view.has_attribute(0) && !view.has_attribute(1)) {
    return fail(ErrorCode::kInvalidArgument, "nothing to print: give a tile, text= or scalar=");
  }
  return rules::no_result();
}

}  // namespace

const InstructionInfo& print_instruction() {
  static const InstructionInfo kInfo = {
      .name = "print",
      .summary = "Prints a text, a scalar and a tile, for debugging.",
      .details =
          "One line for the text and scalar; a tile prints its elements with their indices, each "
          "once, the least thread that holds it printing. The order of lines between threads is "
          "not defined on the GPU.",
      .example = "print(%x, text=\"after the loop\", scalar=k)",
      .operands = {{"tile", MemorySpace::kRegister, true}},
      .attributes = {{"text", AttributeKind::kText, true}, {"scalar", AttributeKind::kExpr, true}},
      .effects = kOther,
      .infer_type = infer_type,
      .propose_layouts = rules::propose_default_operand};
  return kInfo;
}

}  // namespace anybit::vm
