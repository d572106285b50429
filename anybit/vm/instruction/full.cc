#include "anybit/vm/instruction/internal/rules.h"

namespace anybit::vm {
namespace {

enum : size_t { kElement, kShape, kValue };

Result<std::optional<TensorType>> infer_type(const InstructionView& view) {
  const auto& element = view.attribute<numeric::ElementFormat>(kElement);
  const auto& shape = view.attribute<std::vector<int64_t>>(kShape);
  ANYBIT_TRY(check_tile_shape(shape));
  const ScalarType value = view.attribute<Expr>(kValue).type();
  const bool fits = is_compute_float(element) ? value == ScalarType::kF32
                    : is_integer_element(element)
                        ? value != ScalarType::kF32 && value != ScalarType::kPointer
                        : false;
  if (!fits) {
    return fail(ErrorCode::kInvalidArgument,
                "a tile of {} cannot be filled with {}: f32, f16, bf16 take f32, integers take i32",
                tile_element_name(element), scalar_type_name(value));
  }
  return register_type(element, shape);
}

}  // namespace

const InstructionInfo& full_instruction() {
  static const InstructionInfo kInfo = {
      .name = "full",
      .summary = "A register tile with one value everywhere.",
      .details =
          "An f32 value is rounded to nearest even into f16 and bf16; an integer wraps into the "
          "width of the element.",
      .example = "%acc = full(element=f32, shape=[64, 64], value=0.0)",
      .attributes = {{"element", AttributeKind::kElement},
                     {"shape", AttributeKind::kIntegers},
                     {"value", AttributeKind::kExpr}},
      .result = ResultKind::kAlways,
      .infer_type = infer_type,
      .propose_layouts = rules::propose_default_result};
  return kInfo;
}

}  // namespace anybit::vm
