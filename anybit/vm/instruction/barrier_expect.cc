#include "anybit/vm/instruction/internal/rules.h"

namespace anybit::vm {
namespace {

enum : size_t { kIndex, kBytes };
constexpr int64_t kMaxBytes = (int64_t{1} << 20) - 1;  // What a barrier counts.

Result<std::optional<TensorType>> infer_type(const InstructionView& view) {
  ANYBIT_TRY(rules::check_offsets(view.attribute<std::vector<Expr>>(kIndex), view.operand(0).rank(),
                                  "index"));
  const int64_t bytes = view.integer(kBytes);
  if (bytes < 1 || bytes > kMaxBytes) {
    return fail(ErrorCode::kInvalidArgument, "bytes={}, expected 1 to {}", bytes, kMaxBytes);
  }
  return rules::no_result();
}

}  // namespace

const InstructionInfo& barrier_expect_instruction() {
  static const InstructionInfo kInfo = {
      .name = "barrier_expect",
      .summary = "One arrival at a barrier that announces bytes of bulk copies.",
      .details =
          "One arrival in all, of the first thread that executes it. The phase is not complete "
          "before so many bytes have been copied: those of every `copy_bulk` of the phase, whole "
          "tiles, also where they lie outside the tensor.",
      .example = "barrier_expect(%full, index=[k % 4], bytes=32768)",
      .operands = {{"barriers", MemorySpace::kShared, false, true}},
      .attributes = {{"index", AttributeKind::kExprs}, {"bytes", AttributeKind::kInteger}},
      .effects = kOther,
      .infer_type = infer_type};
  return kInfo;
}

}  // namespace anybit::vm
