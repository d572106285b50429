#include "anybit/vm/instruction/internal/rules.h"

namespace anybit::vm {
namespace {

enum : size_t { kElement, kShape };

Result<std::optional<TensorType>> infer_type(const InstructionView& view) {
  const auto& element = view.attribute<numeric::ElementFormat>(kElement);
  const auto& shape = view.attribute<std::vector<int64_t>>(kShape);
  ANYBIT_TRY(check_tile_shape(shape));
  return register_type(element, shape);
}

/// Elements of equal width under the same shape stay where they are: a rule for the common case.
std::vector<LayoutProposal> propose_layouts(const InstructionView& view, RulePriority priority) {
  const TensorType &source = view.operand(0), &result = view.result();
  if (source.element.bits != result.element.bits || source.shape != result.shape) return {};
  constexpr std::string_view kRule = "a view of elements of equal width keeps them in place";
  if (priority == RulePriority::kForward && source.register_layout && !result.register_layout) {
    return {{view.instruction.result, *source.register_layout, kRule}};
  }
  if (priority == RulePriority::kBackward && !source.register_layout && result.register_layout) {
    return {{view.instruction.operands[0], *result.register_layout, kRule}};
  }
  return {};
}

Status check_layouts(const InstructionView& view) {
  const TensorType &source = view.operand(0), &result = view.result();
  const int64_t source_bits = source.register_layout->local_size() * source.element.bits;
  const int64_t result_bits = result.register_layout->local_size() * result.element.bits;
  if (source_bits != result_bits) {
    return fail(ErrorCode::kInvalidArgument,
                "view: each thread holds {} bits ({} of {}) but would view {} bits ({} of {})",
                source_bits, source.register_layout->local_size(),
                tile_element_name(source.element), result_bits,
                result.register_layout->local_size(), tile_element_name(result.element));
  }
  return {};
}

}  // namespace

const InstructionInfo& view_instruction() {
  static const InstructionInfo kInfo = {
      .name = "view",
      .summary = "The bits that each thread holds, under another element and layout.",
      .details =
          "Costs nothing. A thread that holds E elements of b bits holds the string of E * b bits "
          "in "
          "which element e is bits [e * b, (e + 1) * b); the result reads the same string under "
          "its "
          "own element and layout. Both layouts have the same number of threads, and each thread "
          "the same number of bits. Both must be known: annotate them, unless elements of equal "
          "width "
          "keep their shape, and so their places. This is how tiles of odd widths are loaded as "
          "whole words, coalesced, and then taken apart where they are.",
      .example =
          "%w: e3m2[64, 16] @ spatial(8, 4).local(8, 4) = view(%words, element=e3m2, "
          "shape=[64, 16])",
      .operands = {{"tile", MemorySpace::kRegister}},
      .attributes = {{"element", AttributeKind::kElement}, {"shape", AttributeKind::kIntegers}},
      .result = ResultKind::kAlways,
      .infer_type = infer_type,
      .propose_layouts = propose_layouts,
      .check_layouts = check_layouts};
  return kInfo;
}

}  // namespace anybit::vm
