#include "anybit/vm/instruction/internal/rules.h"

namespace anybit::vm {
namespace {

Result<std::optional<TensorType>> infer_type(const InstructionView&) { return rules::no_result(); }

}  // namespace

const InstructionInfo& fence_async_instruction() {
  static const InstructionInfo kInfo = {
      .name = "fence_async",
      .summary = "Shows what threads wrote to shared memory to bulk copies and wgmma.",
      .details =
          "Each thread that wrote executes it after its writes and before the `sync` or "
          "`barrier_arrive` that tells others of them. Reads need no fence, nor does what a bulk "
          "copy has written. Compute capability 9.0 and later.",
      .example = "fence_async()",
      .effects = kOther,
      .infer_type = infer_type};
  return kInfo;
}

}  // namespace anybit::vm
