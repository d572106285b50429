#include "anybit/vm/instruction/internal/rules.h"

namespace anybit::vm {
namespace {

Result<std::optional<TensorType>> infer_type(const InstructionView& view) {
  return rules::infer_semaphore(view);
}

}  // namespace

const InstructionInfo& semaphore_acquire_instruction() {
  static const InstructionInfo kInfo = {
      .name = "semaphore_acquire",
      .summary = "Waits until a 32-bit word in global memory has a value.",
      .details =
          "Every thread of the CTA waits; what the CTA that released the value wrote before is "
          "visible after. CTAs must be able to run together, or waiting never ends.",
      .example = "semaphore_acquire(%locks, index=block.x, value=1)",
      .operands = {{"words", MemorySpace::kGlobal}},
      .attributes = {{"index", AttributeKind::kExpr}, {"value", AttributeKind::kExpr}},
      .effects = kReadsGlobal | kWritesGlobal | kBarrier | kOther,
      .infer_type = infer_type};
  return kInfo;
}

}  // namespace anybit::vm
