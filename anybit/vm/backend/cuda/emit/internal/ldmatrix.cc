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

/// Calls emit(suffix, first word, address) for every group.
template <class Emit>
void for_each_group(Emitter& out, const MatrixLoadPlan& plan, const SharedView& shared, int bits,
                    const Emit& emit) {
  const std::string at = out.fresh("row");
  out.line("const ab::u32 {} = (ab::u32)({});", at, lane_row(out, plan, shared));
  for (int64_t first = 0; first < plan.matrices.local_size(); first += plan.group) {
    emit(fmt::format("x{}{}", plan.group, plan.is_transposed ? "_trans" : ""), first,
         shared_address(shared, bits, at, plan.linear(first)));
  }
}

}  // namespace

void emit_ldmatrix(Emitter& out, const std::string& array, const TensorType& type,
                   const SharedView& shared, const MatrixLoadPlan& plan) {
  out.line("ab::u32 {}[{}];", array, out.num_words(type));
  for_each_group(out, plan, shared, type.element.bits,
                 [&](const std::string& suffix, int64_t word, const std::string& address) {
                   out.line("ab::ldmatrix_{}({} + {}, {});", suffix, array, word, address);
                 });
}

std::optional<MatrixLoadPlan> plan_stmatrix(const Emitter& out, const TensorType& type,
                                            const SharedView& shared) {
  constexpr int kFirstArchitecture = 90;
  if (out.architecture() < kFirstArchitecture || type.register_layout->replication() != 1) {
    return std::nullopt;
  }
  return plan_matrix_load(type, shared, out.num_threads(), out.scalars());
}

void emit_stmatrix(Emitter& out, const std::string& array, const TensorType& type,
                   const SharedView& shared, const MatrixLoadPlan& plan) {
  for_each_group(out, plan, shared, type.element.bits,
                 [&](const std::string& suffix, int64_t word, const std::string& address) {
                   out.line("ab::stmatrix_{}({}, {} + {});", suffix, address, array, word);
                 });
}

}  // namespace anybit::vm::cuda
