#include "anybit/vm/instruction/internal/rules.h"
#include "anybit/vm/ir/wgmma.h"

namespace anybit::vm {
namespace {

Result<std::optional<TensorType>> infer_type(const InstructionView& view) {
  const int64_t groups = view.integer(0);
  if (groups < 0 || groups > 7) {
    return fail(ErrorCode::kInvalidArgument, "groups={}, expected 0 to 7", groups);
  }
  ANYBIT_TRY(check_whole_warpgroups(view));
  return rules::no_result();
}

}  // namespace

const InstructionInfo& wgmma_wait_instruction() {
  static const InstructionInfo kInfo = {
      .name = "wgmma_wait",
      .summary = "Waits until at most `groups` committed groups of wgmma are under way.",
      .details =
          "Each warpgroup waits for its own. Then the sums of the groups before may be read, and "
          "their operands in shared memory overwritten by whoever knows of the wait, through a "
          "`sync` or a barrier.",
      .example = "wgmma_wait(groups=1)",
      .attributes = {{"groups", AttributeKind::kInteger}},
      .effects = kOther,
      .infer_type = infer_type};
  return kInfo;
}

}  // namespace anybit::vm
