#include "anybit/vm/instruction/internal/rules.h"

namespace anybit::vm {
namespace {

Result<std::optional<TensorType>> infer_type(const InstructionView& view) {
  return rules::infer_semaphore(view);
}

}  // namespace

const InstructionInfo& semaphore_release_instruction() {
  static const InstructionInfo kInfo = {
      .name = "semaphore_release",
      .summary = "Sets a 32-bit word in global memory after everything the CTA wrote.",
      .details =
          "Begins with a barrier of the CTA; then one thread stores the value with release order.",
      .example = "semaphore_release(%locks, index=block.x, value=1)",
      .operands = {{"words", MemorySpace::kGlobal}},
      .attributes = {{"index", AttributeKind::kExpr}, {"value", AttributeKind::kExpr}},
      .effects = kReadsGlobal | kWritesGlobal | kBarrier | kOther,
      .infer_type = infer_type};
  return kInfo;
}

}  // namespace anybit::vm
