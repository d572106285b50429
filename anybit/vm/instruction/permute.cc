#include "anybit/vm/instruction/internal/rules.h"

namespace anybit::vm {
namespace {

Result<std::optional<TensorType>> infer_type(const InstructionView& view) {
  const TensorType& source = view.operand(0);
  ANYBIT_ASSIGN(std::vector<int64_t> shape,
                rules::permuted_shape(source.shape, view.attribute<std::vector<int64_t>>(0)));
  return register_type(source.element, std::move(shape));
}

std::vector<int64_t> inverse(const std::vector<int64_t>& dims) {
  std::vector<int64_t> result(dims.size());
  for (size_t d = 0; d < dims.size(); ++d) result[dims[d]] = static_cast<int64_t>(d);
  return result;
}

std::optional<layout::RegisterLayout> permuted(const std::optional<layout::RegisterLayout>& from,
                                               const std::vector<int64_t>& dims) {
  if (!from) return std::nullopt;
  const std::vector<int> order(dims.begin(), dims.end());
  const auto result = layout::permute(*from, order);
  return result ? std::optional(*result) : std::nullopt;
}

std::vector<LayoutProposal> propose_layouts(const InstructionView& view, RulePriority priority) {
  const auto& dims = view.attribute<std::vector<int64_t>>(0);
  constexpr std::string_view kRule = "permute keeps every element where it is";
  if (priority == RulePriority::kForward && !view.result().register_layout) {
    if (auto l = permuted(view.operand(0).register_layout, dims)) {
      return {{view.instruction.result, *l, kRule}};
    }
  }
  if (priority == RulePriority::kBackward && !view.operand(0).register_layout) {
    if (auto l = permuted(view.result().register_layout, inverse(dims))) {
      return {{view.instruction.operands[0], *l, kRule}};
    }
  }
  return rules::propose_default_result(view, priority);
}

std::optional<layout::RegisterLayout> required_layout(const InstructionView& view, size_t) {
  return permuted(view.result().register_layout, inverse(view.attribute<std::vector<int64_t>>(0)));
}

}  // namespace

const InstructionInfo& permute_instruction() {
  static const InstructionInfo kInfo = {
      .name = "permute",
      .summary = "The tile with its dimensions in another order.",
      .details =
          "Dimension d of the result is dimension dims[d] of the operand. Moves nothing: each "
          "thread "
          "keeps its elements; a transposition between threads comes from converting the result.",
      .example = "%t = permute(%x, dims=[1, 0])",
      .operands = {{"tile", MemorySpace::kRegister}},
      .attributes = {{"dims", AttributeKind::kIntegers}},
      .result = ResultKind::kAlways,
      .infer_type = infer_type,
      .propose_layouts = propose_layouts,
      .required_layout = required_layout};
  return kInfo;
}

}  // namespace anybit::vm
