#include "anybit/vm/instruction/internal/rules.h"

namespace anybit::vm {
namespace {

Result<std::optional<TensorType>> infer_type(const InstructionView&) { return rules::no_result(); }

}  // namespace

const InstructionInfo& store_bulk_commit_instruction() {
  static const InstructionInfo kInfo = {
      .name = "store_bulk_commit",
      .summary = "Closes the group of bulk stores that the first thread has started.",
      .details = "Groups are counted by `store_bulk_wait`; an empty group counts too.",
      .example = "store_bulk_commit()",
      .effects = kOther,
      .infer_type = infer_type};
  return kInfo;
}

}  // namespace anybit::vm
