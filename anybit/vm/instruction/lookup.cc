#include "anybit/vm/instruction/internal/rules.h"

namespace anybit::vm {
namespace {

Result<std::optional<TensorType>> infer_type(const InstructionView& view) {
  const TensorType &codes = view.operand(0), &table = view.operand(1);
  if (codes.element.bits > 8) {
    return fail(ErrorCode::kInvalidArgument, "codes of {}, expected at most 8 bits",
                tile_element_name(codes.element));
  }
  const int64_t entries = int64_t{1} << codes.element.bits;
  if (table.rank() != 1 || table.shape[0] != entries || table.element.bits % 8 != 0) {
    return fail(ErrorCode::kInvalidArgument,
                "table {} of {}, expected [{}] of whole bytes for codes of {} bits",
                shape_text(table.shape), tile_element_name(table.element), entries,
                codes.element.bits);
  }
  return register_type(table.element, codes.shape);
}

}  // namespace

const InstructionInfo& lookup_instruction() {
  static const InstructionInfo kInfo = {
      .name = "lookup",
      .summary = "Replaces each code by its entry of a table in shared memory.",
      .details =
          "Element x of the result is table[code of x]: the value of codebook elements, or any "
          "function of codes of at most 8 bits. The table has an entry for every code.",
      .example = "%w = lookup(%codes, %table)",
      .operands = {{"codes", MemorySpace::kRegister}, {"table", MemorySpace::kShared}},
      .result = ResultKind::kAlways,
      .effects = kReadsShared,
      .infer_type = infer_type,
      .propose_layouts = rules::propose_elementwise,
      .required_layout = rules::require_elementwise};
  return kInfo;
}

}  // namespace anybit::vm
