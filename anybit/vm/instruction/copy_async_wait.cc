#include "anybit/vm/instruction/internal/rules.h"

namespace anybit::vm {
namespace {

Result<std::optional<TensorType>> infer_type(const InstructionView& view) {
  const int64_t groups = view.integer(0);
  if (groups < 0 || groups > 31) {
    return fail(ErrorCode::kInvalidArgument, "groups={}, expected 0 to 31", groups);
  }
  return rules::no_result();
}

}  // namespace

const InstructionInfo& copy_async_wait_instruction() {
  static const InstructionInfo kInfo = {
      .name = "copy_async_wait",
      .summary = "Waits until at most `groups` committed groups of copies are under way.",
      .details =
          "Each thread waits for its own copies; a `sync` afterwards shows them to the others.",
      .example = "copy_async_wait(groups=1)",
      .attributes = {{"groups", AttributeKind::kInteger}},
      .effects = kOther,
      .infer_type = infer_type};
  return kInfo;
}

}  // namespace anybit::vm
