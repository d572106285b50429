#include "anybit/vm/instruction/internal/rules.h"

namespace anybit::vm {
namespace {

Result<std::optional<TensorType>> infer_type(const InstructionView& view) {
  ANYBIT_TRY(
      rules::check_offsets(view.attribute<std::vector<Expr>>(0), view.operand(0).rank(), "index"));
  return rules::no_result();
}

}  // namespace

const InstructionInfo& barrier_arrive_instruction() {
  static const InstructionInfo kInfo = {
      .name = "barrier_arrive",
      .summary = "One arrival at a barrier for each warp that executes it.",
      .details =
          "Nobody waits. What the warp's threads read and wrote before is done for those who wait "
          "for the phase.",
      .example = "barrier_arrive(%empty, index=[k % 4])",
      .operands = {{"barriers", MemorySpace::kShared, false, true}},
      .attributes = {{"index", AttributeKind::kExprs}},
      .effects = kOther,
      .infer_type = infer_type};
  return kInfo;
}

}  // namespace anybit::vm
