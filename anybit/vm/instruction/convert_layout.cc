#include "anybit/vm/instruction/internal/rules.h"

namespace anybit::vm {
namespace {

Result<std::optional<TensorType>> infer_type(const InstructionView& view) {
  return register_type(view.operand(0).element, view.operand(0).shape);
}

}  // namespace

const InstructionInfo& convert_layout_instruction() {
  static const InstructionInfo kInfo = {
      .name = "convert_layout",
      .summary = "The same tile held by other threads.",
      .details =
          "The layout of the result must be known: annotate it. Lowers to nothing where each "
          "thread "
          "already holds what it needs, to shuffles where its warp does, and else to a passage "
          "through shared memory with its barriers (then every thread must reach it).",
      .example = "%b: f16[16, 8] @ local(2, 1).spatial(8, 4).local(1, 2) = convert_layout(%a)",
      .operands = {{"tile", MemorySpace::kRegister}},
      .result = ResultKind::kAlways,
      .infer_type = infer_type};
  return kInfo;
}

}  // namespace anybit::vm
