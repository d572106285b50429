#include "anybit/vm/instruction/internal/rules.h"

namespace anybit::vm {
namespace {

enum : size_t { kCondition };

Result<std::optional<TensorType>> infer_type(const InstructionView& view) {
  if (view.has_operand(0) == view.has_attribute(kCondition)) {
    return fail(ErrorCode::kInvalidArgument, "assert takes either a tile or condition=");
  }
  if (view.has_operand(0) && view.operand(0).element != kBool) {
    return fail(ErrorCode::kInvalidArgument, "assert: a tile of {}, expected uint1",
                tile_element_name(view.operand(0).element));
  }
  if (view.has_attribute(kCondition) &&
      view.attribute<Expr>(kCondition).type() != ScalarType::kBool) {
    return fail(ErrorCode::kInvalidArgument, "assert: a condition of {}, expected bool",
                scalar_type_name(view.attribute<Expr>(kCondition).type()));
  }
  return rules::no_result();
}

}  // namespace

const InstructionInfo& assert_instruction() {
  static const InstructionInfo kInfo = {
      .name = "assert",
      .summary = "Stops the kernel with a message unless a condition holds.",
      .details = "The condition is a scalar, or every element of a tile of uint1.",
      .example = "assert(condition=n % 64 == 0, text=\"n is a multiple of 64\")",
      .operands = {{"tile", MemorySpace::kRegister, true}},
      .attributes = {{"condition", AttributeKind::kExpr, true}, {"text", AttributeKind::kText}},
      .effects = kOther,
      .infer_type = infer_type,
      .propose_layouts = rules::propose_default_operand};
  return kInfo;
}

}  // namespace anybit::vm
