#include "anybit/vm/instruction/internal/rules.h"
#include "anybit/vm/ir/wgmma.h"

namespace anybit::vm {
namespace {

Result<std::optional<TensorType>> infer_type(const InstructionView& view) {
  ANYBIT_TRY(check_whole_warpgroups(view));
  return rules::no_result();
}

}  // namespace

const InstructionInfo& wgmma_commit_instruction() {
  static const InstructionInfo kInfo = {
      .name = "wgmma_commit",
      .summary = "Closes the group of wgmma started since the last commit.",
      .details = "Each warpgroup has groups of its own. A group may be empty.",
      .example = "wgmma_commit()",
      .effects = kOther,
      .infer_type = infer_type};
  return kInfo;
}

}  // namespace anybit::vm
