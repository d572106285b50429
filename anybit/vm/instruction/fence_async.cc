#include "anybit/vm/instruction/internal/rules.h"

namespace anybit::vm {
namespace {

Result<std::optional<TensorType>> infer_type(const InstructionView&) { return rules::no_result(); }

}  // namespace

const InstructionInfo& fence_async_instruction() {
  static const InstructionInfo kInfo = {
      .name = "fence_async",
      .summary = "Shows this thread's writes to shared memory to bulk copies and wgmma.",
      .details =
          "Ordinary stores and `copy_async` (after its wait) write through another path than bulk "
          "copies and wgmma read. Stands in the threads that wrote, before the `sync` that orders "
          "them with the reader.",
      .example = "fence_async()",
      .effects = kOther,
      .infer_type = infer_type};
  return kInfo;
}

}  // namespace anybit::vm
