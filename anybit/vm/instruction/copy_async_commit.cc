#include "anybit/vm/instruction/internal/rules.h"

namespace anybit::vm {
namespace {

Result<std::optional<TensorType>> infer_type(const InstructionView&) { return rules::no_result(); }

}  // namespace

const InstructionInfo& copy_async_commit_instruction() {
  static const InstructionInfo kInfo = {
      .name = "copy_async_commit",
      .summary = "Closes the group of copies started since the last commit.",
      .details = "A group may be empty: it completes at once.",
      .example = "copy_async_commit()",
      .effects = kOther,
      .infer_type = infer_type};
  return kInfo;
}

}  // namespace anybit::vm
