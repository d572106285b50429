#include "anybit/vm/backend/cuda/emit/internal/ldmatrix.h"

#include "anybit/vm/backend/cuda/emit/internal/memory_access.h"

namespace anybit::vm::cuda {
namespace {

/// The element index of the row that a lane points at: row l % 8 of matrix l / 8 of its group.
std::string lane_row(Emitter& out, const MatrixLoadPlan& plan, const SharedView& shared) {
  const auto warp_digits = plan.matrices.thread_digits();
  std::vector<layout::Digit> digits(warp_digits.begin(), warp_digits.end());
  std::vector<int64_t> weights;
  for (const layout::Digit& digit : digits) {
    weights.push_back(
        digit.is_replicated() ? 0 : digit.stride * plan.weights[static_cast<size_t>(digit.dim)]);
  }
  digits.push_back({2, layout::Digit::kReplicated, 0});
  weights.push_back(plan.group == 4 ? plan.linear(2) : 0);
  digits.push_back({2, layout::Digit::kReplicated, 0});
  weights.push_back(plan.group >= 2 ? plan.linear(1) : 0);
  digits.push_back({8, layout::Digit::kReplicated, 0});
  weights.push_back(shared.strides[static_cast<size_t>(plan.row_dim)]);
  std::string sum = out.thread_sum(digits, weights);
  for (const auto& [expr, weight] : shared.offsets) {
    sum = fmt::format("(int)({}) * {} + {}", out.scalar(expr), weight, sum);
  }
  return sum;
}

}  // namespace

void emit_ldmatrix(Emitter& out, const InstructionView& view, const MatrixLoadPlan& plan) {
  const ValueId tile = view.instruction.result;
  const TensorType& type = view.result();
  const SharedView& shared = out.shared_plan().view(view.instruction.operands[0]);
  const std::string at = out.fresh("row");
  out.line("const ab::u32 {} = (ab::u32)({});", at, lane_row(out, plan, shared));
  out.line("ab::u32 {}[{}];", out.tile(tile), out.num_words(type));
  for (int64_t first = 0; first < plan.matrices.local_size(); first += plan.group) {
    out.line("ab::ldmatrix_x{}{}({} + {}, {});", plan.group, plan.is_transposed ? "_trans" : "",
             out.tile(tile), first,
             shared_address(shared, type.element.bits, at, plan.linear(first)));
  }
}

}  // namespace anybit::vm::cuda
