#include <algorithm>

#include "anybit/vm/instruction/internal/rules.h"

namespace anybit::vm {
namespace {

enum : size_t { kOffset, kShape };

Result<std::optional<TensorType>> infer_type(const InstructionView& view) {
  const TensorType& source = view.operand(0);
  const auto& offset = view.attribute<std::vector<int64_t>>(kOffset);
  const auto& shape = view.attribute<std::vector<int64_t>>(kShape);
  bool fits = offset.size() == source.rank() && shape.size() == source.rank();
  for (size_t d = 0; fits && d < shape.size(); ++d) {
    fits = shape[d] >= 1 && offset[d] >= 0 && offset[d] % shape[d] == 0 &&
           offset[d] <= source.shape[d] - shape[d] && source.shape[d] % shape[d] == 0;
  }
  if (!fits) {
    return fail(ErrorCode::kInvalidArgument,
                "slice of {} at {} of {}: expected one of the equal parts of the tile",
                shape_text(shape), shape_text(offset), shape_text(source.shape));
  }
  return register_type(source.element, shape);
}

/// What each thread keeps: the digits that count within a part. Nothing if threads count the parts.
std::optional<layout::RegisterLayout> sliced(const layout::RegisterLayout& from,
                                             const std::vector<int64_t>& shape) {
  for (const layout::Digit& digit : from.thread_digits()) {
    if (!digit.is_replicated() && digit.stride * digit.extent > shape[digit.dim]) {
      return std::nullopt;
    }
  }
  std::vector<layout::Digit> locals;
  for (layout::Digit digit : from.local_digits()) {
    if (digit.stride >= shape[digit.dim]) continue;
    digit.extent = std::min(digit.extent, shape[digit.dim] / digit.stride);
    locals.push_back(digit);
  }
  const auto result = layout::RegisterLayout::from_digits(shape, from.thread_digits(), locals);
  return result ? std::optional(*result) : std::nullopt;
}

std::optional<layout::RegisterLayout> result_layout(const InstructionView& view) {
  const auto& from = view.operand(0).register_layout;
  return from ? sliced(*from, view.attribute<std::vector<int64_t>>(kShape)) : std::nullopt;
}

std::vector<LayoutProposal> propose_layouts(const InstructionView& view, RulePriority priority) {
  if (priority == RulePriority::kForward && !view.result().register_layout) {
    if (auto l = result_layout(view)) {
      return {{view.instruction.result, *l, "slice keeps every element where it is"}};
    }
  }
  return {};
}

Status check_layouts(const InstructionView& view) {
  const auto expected = result_layout(view);
  if (expected && *expected == *view.result().register_layout) return {};
  return fail(ErrorCode::kInvalidArgument, "each thread must hold whole parts of {}, not of {}",
              expected ? layout::to_string(*expected) : "the tile",
              layout::to_string(*view.operand(0).register_layout));
}

}  // namespace

const InstructionInfo& slice_instruction() {
  static const InstructionInfo kInfo = {
      .name = "slice",
      .summary = "One of the equal parts of a tile.",
      .details =
          "Element x of the result is element x + offset of the operand; the extents of the part "
          "divide those of the tile, and the offset is a multiple of them. Moves nothing: each "
          "thread keeps its elements of the part, so parts that lie in some threads only are "
          "refused; convert the tile's layout first.",
      .example = "%p = slice(%x, offset=[0, 64], shape=[128, 64])",
      .operands = {{"tile", MemorySpace::kRegister}},
      .attributes = {{"offset", AttributeKind::kIntegers}, {"shape", AttributeKind::kIntegers}},
      .result = ResultKind::kAlways,
      .infer_type = infer_type,
      .propose_layouts = propose_layouts,
      .check_layouts = check_layouts};
  return kInfo;
}

}  // namespace anybit::vm
