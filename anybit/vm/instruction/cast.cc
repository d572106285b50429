#include "anybit/vm/instruction/internal/rules.h"

namespace anybit::vm {
namespace {

Result<std::optional<TensorType>> infer_type(const InstructionView& view) {
  const TensorType& source = view.operand(0);
  const auto& element = view.attribute<numeric::ElementFormat>(0);
  for (const numeric::ElementFormat& format : {source.element, element}) {
    if (format.kind == numeric::ElementKind::kCodebook ||
        format.kind == numeric::ElementKind::kComplex) {
      return fail(
          ErrorCode::kInvalidArgument, "cast between {} and {}: {} has no values of its own",
          tile_element_name(source.element), tile_element_name(element), tile_element_name(format));
    }
  }
  return register_type(element, source.shape);
}

}  // namespace

const InstructionInfo& cast_instruction() {
  static const InstructionInfo kInfo = {
      .name = "cast",
      .summary = "The same values in another element format.",
      .details =
          "Each value is rounded to nearest even from its exact value. Beyond the range of f16, "
          "bf16, tf32 or f32 it becomes infinity, as IEEE 754 says, and infinity stays; with "
          "`saturate=true` both become the largest number. Elements of at most 8 bits and integers "
          "always saturate. NaN becomes the format's NaN, or 0 where it has none "
          "(numeric/element_format.h, encode). The layout stays. Codebook elements have no values "
          "of their own: see `lookup`.",
      .example = "%h = cast(%w, element=f16)",
      .operands = {{"tile", MemorySpace::kRegister}},
      .attributes = {{"element", AttributeKind::kElement},
                     {"saturate", AttributeKind::kFlag, true}},
      .result = ResultKind::kAlways,
      .infer_type = infer_type,
      .propose_layouts = rules::propose_elementwise,
      .required_layout = rules::require_elementwise};
  return kInfo;
}

}  // namespace anybit::vm
