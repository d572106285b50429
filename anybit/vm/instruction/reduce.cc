#include "anybit/vm/instruction/internal/rules.h"

namespace anybit::vm {
namespace {

enum : size_t { kOp, kDim };

Result<std::optional<TensorType>> infer_type(const InstructionView& view) {
  const TensorType& source = view.operand(0);
  ANYBIT_TRY(check_operand_class(reduce_operators()[view.integer(kOp)], source.element));
  ANYBIT_TRY(rules::check_dimension(view.integer(kDim), source.rank()));
  std::vector<int64_t> shape = source.shape;
  shape[view.integer(kDim)] = 1;
  return register_type(source.element, std::move(shape));
}

layout::RegisterLayout reduced(const InstructionView& view) {
  return rules::reduced_layout(*view.operand(0).register_layout, view.integer(kDim));
}

std::vector<LayoutProposal> propose_layouts(const InstructionView& view, RulePriority priority) {
  if (priority == RulePriority::kForward && !view.result().register_layout &&
      view.operand(0).register_layout) {
    return {{view.instruction.result, reduced(view),
             "every thread that held a part of a sum holds the sum"}};
  }
  if (priority == RulePriority::kDefault && !view.operand(0).register_layout) {
    return {{view.instruction.operands[0], rules::default_layout(view.operand(0), view.num_threads),
             "the default of reduce"}};
  }
  return {};
}

/// The operand decides: a result wanted otherwise is converted after it.
bool accepts_result_layout(const InstructionView& view, const layout::RegisterLayout& layout) {
  return view.operand(0).register_layout && reduced(view) == layout;
}

Status check_layouts(const InstructionView& view) {
  for (const layout::Digit& digit : view.operand(0).register_layout->thread_digits()) {
    if (digit.dim == view.integer(kDim) && (digit.extent & (digit.extent - 1)) != 0) {
      return fail(ErrorCode::kInvalidArgument,
                  "reduce: {} threads share dimension {}, expected a power of two; convert_layout "
                  "the operand first",
                  digit.extent, view.integer(kDim));
    }
  }
  if (*view.result().register_layout == reduced(view)) return {};
  return fail(ErrorCode::kInvalidArgument,
              "reduce: the result is laid out as {}, expected {}; use convert_layout after it",
              to_string(*view.result().register_layout), to_string(reduced(view)));
}

}  // namespace

const InstructionInfo& reduce_instruction() {
  static const std::vector<std::string_view> kNames = rules::operator_names(reduce_operators());
  static const InstructionInfo kInfo = {
      .name = "reduce",
      .summary = "Combines the elements along one dimension, which becomes 1.",
      .details =
          "f16 and bf16 are reduced in f32 and rounded once at the end. The order of combination "
          "is "
          "part of the meaning, the same on every backend: first within each thread in the order "
          "of "
          "its elements, from the first; then between threads by a butterfly over the digits of "
          "the thread index, the least significant digit first, where each thread combines its own "
          "value (left) with the other's (right). Every thread that held an element holds "
          "the result.",
      .example = "%s = reduce(%x, op=sum, dim=1)",
      .operands = {{"x", MemorySpace::kRegister}},
      .attributes = {{"op", AttributeKind::kName, false, kNames}, {"dim", AttributeKind::kInteger}},
      .result = ResultKind::kAlways,
      .infer_type = infer_type,
      .propose_layouts = propose_layouts,
      .accepts_result_layout = accepts_result_layout,
      .check_layouts = check_layouts};
  return kInfo;
}

}  // namespace anybit::vm
