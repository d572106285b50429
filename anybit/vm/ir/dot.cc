#include "anybit/vm/ir/dot.h"

namespace anybit::vm {
namespace {

const MmaAtom* atom_of(const InstructionView& view) {
  const TensorType &a = view.operand(0), &c = view.operand(2);
  const bool tf32 = view.integer(0) == 1;
  const numeric::ElementFormat& element = tf32 ? numeric::kTf32 : a.element;
  return find_mma_atom(element, element, c.element, c.shape[0], c.shape[1], a.shape[1]);
}

}  // namespace

Result<DotPlan> plan_dot(const InstructionView& view, const layout::RegisterLayout& c) {
  const int64_t k = view.operand(0).shape[1];
  DotPlan plan;
  if (const MmaAtom* atom = atom_of(view)) {
    if (auto layouts = dot_layouts(*atom, c, k)) {
      plan.atom = atom;
      plan.layouts = std::move(*layouts);
      return plan;
    }
  }
  ANYBIT_ASSIGN(plan.layouts, scalar_dot_layouts(c, k));
  return plan;
}

std::optional<layout::RegisterLayout> default_accumulator(const InstructionView& view) {
  const TensorType& c = view.operand(2);
  const MmaAtom* atom = atom_of(view);
  if (atom == nullptr) return std::nullopt;
  const auto chosen =
      choose_accumulator_layout(*atom, c.shape[0], c.shape[1], view.num_threads / kWarpSize);
  return chosen ? std::optional(*chosen) : std::nullopt;
}

}  // namespace anybit::vm
