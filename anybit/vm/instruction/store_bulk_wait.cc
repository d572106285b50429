#include "anybit/vm/instruction/internal/rules.h"

namespace anybit::vm {
namespace {

enum : size_t { kGroups, kWritten };

Result<std::optional<TensorType>> infer_type(const InstructionView& view) {
  const int64_t groups = view.integer(kGroups);
  if (groups < 0 || groups > 31) {
    return fail(ErrorCode::kInvalidArgument, "groups={}, expected 0 to 31", groups);
  }
  return rules::no_result();
}

}  // namespace

const InstructionInfo& store_bulk_wait_instruction() {
  static const InstructionInfo kInfo = {
      .name = "store_bulk_wait",
      .summary = "Waits until all but the newest `groups` groups of bulk stores have been read.",
      .details =
          "The first thread that executes it waits for its own groups until their shared tiles "
          "have "
          "been read; a `sync` afterwards tells the others that the tiles may be written. What was "
          "stored stands in global memory when the kernel ends, or after a wait with "
          "`written=true`.",
      .example = "store_bulk_wait(groups=0)",
      .attributes = {{"groups", AttributeKind::kInteger}, {"written", AttributeKind::kFlag, true}},
      .effects = kOther,
      .infer_type = infer_type};
  return kInfo;
}

}  // namespace anybit::vm
