#include "anybit/vm/instruction/internal/rules.h"

namespace anybit::vm {
namespace {

Result<std::optional<TensorType>> infer_type(const InstructionView&) { return rules::no_result(); }

}  // namespace

const InstructionInfo& sync_instruction() {
  static const InstructionInfo kInfo = {
      .name = "sync",
      .summary = "A barrier: every thread waits here for all, and sees what they wrote.",
      .details =
          "Orders shared and global memory among the threads that execute it: the CTA's, or within "
          "`threads` those of the group.",
      .example = "sync()",
      .effects = kBarrier,
      .infer_type = infer_type};
  return kInfo;
}

}  // namespace anybit::vm
