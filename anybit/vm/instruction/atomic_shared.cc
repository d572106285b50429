#include "anybit/vm/instruction/internal/rules.h"

namespace anybit::vm {
namespace {

Result<std::optional<TensorType>> infer_type(const InstructionView& view) {
  return rules::infer_atomic(view);
}

std::optional<layout::RegisterLayout> required_layout(const InstructionView& view, size_t operand) {
  return rules::require_atomic(view, operand);
}

}  // namespace

const InstructionInfo& atomic_shared_instruction() {
  static const std::vector<std::string_view> kNames = rules::operator_names(atomic_operators());
  static const InstructionInfo kInfo = {
      .name = "atomic_shared",
      .summary = "Combines values into the elements of a shared tensor that indices name.",
      .details =
          "For each element x, target[indices[x]] = op(target[indices[x]], values[x]), "
          "indivisibly; "
          "indices outside the target do nothing. The target has rank 1 and elements of int32, "
          "uint32 or f32 (f32: add and exchange only). The order of updates is not defined: sums "
          "of floats "
          "may differ from run to run. The result, if wanted, is what stood there before, 0 for "
          "indices outside.",
      .example = "atomic_shared(%histogram, %bins, %ones, op=add)",
      .operands = {{"target", MemorySpace::kShared},
                   {"indices", MemorySpace::kRegister},
                   {"values", MemorySpace::kRegister}},
      .attributes = {{"op", AttributeKind::kName, false, kNames}},
      .result = ResultKind::kOptional,
      .effects = kReadsShared | kWritesShared,
      .infer_type = infer_type,
      .propose_layouts = rules::propose_atomic,
      .required_layout = required_layout};
  return kInfo;
}

}  // namespace anybit::vm
