#include "anybit/vm/instruction/internal/rules.h"

namespace anybit::vm {
namespace {

enum : size_t { kIndex, kParity };

Result<std::optional<TensorType>> infer_type(const InstructionView& view) {
  ANYBIT_TRY(rules::check_offsets(view.attribute<std::vector<Expr>>(kIndex), view.operand(0).rank(),
                                  "index"));
  ANYBIT_TRY(rules::check_offsets({view.attribute<Expr>(kParity)}, 1, "parity"));
  const auto parity = view.attribute<Expr>(kParity).as_integer();
  if (parity && *parity != 0 && *parity != 1) {
    return fail(ErrorCode::kInvalidArgument, "parity={}, expected 0 or 1", *parity);
  }
  return rules::no_result();
}

}  // namespace

const InstructionInfo& barrier_wait_instruction() {
  static const InstructionInfo kInfo = {
      .name = "barrier_wait",
      .summary = "Every thread waits until the phase of this parity is complete.",
      .details =
          "Phases count from 0. Parity p means: the current phase has the other parity, so that "
          "the one before it, of parity p, is complete; at the beginning a wait for parity 1 "
          "passes at once. `parity` is 0 or 1, for round r of a ring `r % 2`, and `1 - r % 2` for "
          "those who wait for room. A barrier must not run ahead of a waiting warp: the phase "
          "after the awaited one may be completed only by something that comes after the wait. "
          "Waiting for a phase that nobody completes is an error of the program, which the "
          "reference backend reports, with what each group of threads waits for.",
      .example = "barrier_wait(%full, index=[k % 4], parity=k / 4 % 2)",
      .operands = {{"barriers", MemorySpace::kShared, false, true}},
      .attributes = {{"index", AttributeKind::kExprs}, {"parity", AttributeKind::kExpr}},
      .effects = kOther,
      .infer_type = infer_type};
  return kInfo;
}

}  // namespace anybit::vm
