#include "anybit/vm/instruction/internal/rules.h"

namespace anybit::vm {
namespace {

Result<std::optional<TensorType>> infer_type(const InstructionView& view) {
  const TensorType& source = view.operand(0);
  const auto& shape = view.attribute<std::vector<int64_t>>(0);
  ANYBIT_TRY(check_tile_shape(shape));
  TensorType result = register_type(source.element, shape);
  if (result.num_elements() != source.num_elements()) {
    return fail(ErrorCode::kInvalidArgument, "{} elements of {} do not fill {}",
                source.num_elements(), shape_text(source.shape), shape_text(shape));
  }
  return result;
}

/// The operand's layout under the new shape, where one exists.
std::optional<layout::RegisterLayout> reshaped(const std::optional<layout::RegisterLayout>& from,
                                               const std::vector<int64_t>& shape) {
  if (!from) return std::nullopt;
  const auto result = layout::reshape(*from, layout::Dims(shape));
  return result ? std::optional(*result) : std::nullopt;
}

std::vector<LayoutProposal> propose_layouts(const InstructionView& view, RulePriority priority) {
  const Instruction& instruction = view.instruction;
  if (priority == RulePriority::kForward && !view.result().register_layout) {
    if (auto l = reshaped(view.operand(0).register_layout, view.result().shape)) {
      return {{instruction.result, *l, "reshape keeps every element where it is"}};
    }
  }
  if (priority == RulePriority::kBackward && !view.operand(0).register_layout) {
    if (auto l = reshaped(view.result().register_layout, view.operand(0).shape)) {
      return {{instruction.operands[0], *l, "reshape keeps every element where it is"}};
    }
  }
  if (priority != RulePriority::kDefault || view.result().register_layout) return {};
  auto proposals = rules::propose_default_result(view, priority);
  if (!reshaped(proposals[0].layout, view.operand(0).shape)) {
    const auto rank = static_cast<int>(view.result().rank());
    proposals[0].layout = layout::replicated(view.num_threads, rank) *
                          layout::local(layout::Dims(view.result().shape));
    proposals[0].rule = "whole in every thread: nothing less has both shapes";
  }
  return proposals;
}

bool accepts_result_layout(const InstructionView& view, const layout::RegisterLayout& layout) {
  return reshaped(layout, view.operand(0).shape).has_value();
}

std::optional<layout::RegisterLayout> required_layout(const InstructionView& view, size_t) {
  return reshaped(view.result().register_layout, view.operand(0).shape);
}

Status check_layouts(const InstructionView& view) {
  if (required_layout(view, 0)) return {};
  return fail(ErrorCode::kInvalidArgument, "reshape: the layout of the result, {}, is none of {}",
              to_string(*view.result().register_layout), shape_text(view.operand(0).shape));
}

}  // namespace

const InstructionInfo& reshape_instruction() {
  static const InstructionInfo kInfo = {
      .name = "reshape",
      .summary = "The same elements, in row-major order, under another shape.",
      .details = "Moves nothing: each thread keeps its elements. Adds and removes dimensions of 1.",
      .example = "%r = reshape(%x, shape=[64, 1])",
      .operands = {{"tile", MemorySpace::kRegister}},
      .attributes = {{"shape", AttributeKind::kIntegers}},
      .result = ResultKind::kAlways,
      .infer_type = infer_type,
      .propose_layouts = propose_layouts,
      .accepts_result_layout = accepts_result_layout,
      .required_layout = required_layout,
      .check_layouts = check_layouts};
  return kInfo;
}

}  // namespace anybit::vm
