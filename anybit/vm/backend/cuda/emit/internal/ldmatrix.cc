#include "anybit/vm/backend/cuda/emit/internal/ldmatrix.h"

#include <numeric>

#include "anybit/layout/register_layout_ops.h"

namespace anybit::vm::cuda {
namespace {

using layout::RegisterLayout;

/// A fragment of ldmatrix: lane l gets two 16-bit pieces of row l / 4 (of column l / 4 transposed).
struct MatrixForm {
  bool transposed = false;
  RegisterLayout outer;  // Tiles of [8, 8 * pieces] (transposed: [8, 8]), over warps.
};

/// `layout` as fragments of matrices whose rows of 16 bytes run along the last dimension.
std::optional<MatrixForm> match(const RegisterLayout& layout, int bits) {
  if (bits > 32 || bits < 8) return std::nullopt;
  const RegisterLayout rows = layout::spatial({8, 4}) * layout::local({1, 32 / bits});
  if (auto outer = layout::divide(layout, rows)) return MatrixForm{false, *outer};
  if (bits != 16) return std::nullopt;
  const RegisterLayout columns = layout::column_spatial({4, 8}) * layout::local({2, 1});
  if (auto outer = layout::divide(layout, columns)) return MatrixForm{true, *outer};
  return std::nullopt;
}

}  // namespace

bool emit_ldmatrix(Emitter& out, const InstructionView& view) {
  const ValueId shared = view.instruction.operands[0], tile = view.instruction.result;
  const TensorType& type = view.result();
  const SharedView& plan = out.shared_plan().view(shared);
  const int rank = static_cast<int>(type.rank());
  // Rows of a matrix lie along the last dimension in both forms: [row, piece]; the transposed form
  // gives lane l elements (2 * (l % 4) + i, l / 4) of the stored rows.
  std::optional<MatrixForm> form;
  int row_dim = rank - 2, run_dim = rank - 1;
  if (rank < 2 || type.element.bits % 8 != 0) return false;
  if (plan.strides[rank - 1] == 1) {
    form = match(*type.register_layout, type.element.bits);
  } else if (plan.strides[rank - 2] == 1) {
    // Stored with the dimension before the last contiguous: rows of matrices are our columns.
    std::swap(row_dim, run_dim);
    const auto turned = layout::transpose(*type.register_layout, rank - 2, rank - 1);
    if (!turned) return false;
    form = match(*turned, type.element.bits);
    if (form) {
      const auto back = layout::transpose(form->outer, rank - 2, rank - 1);
      if (!back) return false;
      form->outer = *back;
    }
  }
  if (!form || form->outer.num_threads() * kWarpSize != out.num_threads()) return false;

  const int bits = type.element.bits;
  const int64_t row_elements = 128 / bits;  // 16 bytes.
  const int64_t row_extent = 8, run_extent = form->transposed ? 8 : row_elements;
  const auto weight = [&](int dim) {
    return plan.strides[dim] * (dim == row_dim ? row_extent : dim == run_dim ? run_extent : 1);
  };
  // Rows must begin at 16 bytes and survive the swizzle whole.
  int64_t divisor = plan.strides[row_dim];
  for (const auto& digits : {form->outer.thread_digits(), form->outer.local_digits()}) {
    for (const layout::Digit& digit : digits) {
      if (!digit.is_replicated()) divisor = std::gcd(divisor, digit.stride * weight(digit.dim));
    }
  }
  for (const auto& [expr, w] : plan.offsets) {
    divisor = std::gcd(divisor, out.scalars().divisor(expr) * w);
  }
  const layout::Swizzle& swizzle = plan.swizzle;
  if (divisor % row_elements != 0 ||
      (swizzle.bits > 0 && (int64_t{1} << swizzle.base) < row_elements)) {
    return false;
  }

  const int64_t matrices = form->outer.local_size();
  const int64_t group = matrices % 4 == 0 ? 4 : matrices % 2 == 0 ? 2 : 1;
  // Lane l points at row l % 8 of matrix l / 8 of its group.
  std::vector<layout::Digit> digits(form->outer.thread_digits().begin(),
                                    form->outer.thread_digits().end());
  std::vector<int64_t> weights;
  for (const layout::Digit& digit : digits) {
    weights.push_back(digit.is_replicated() ? 0 : digit.stride * weight(digit.dim));
  }
  digits.push_back({4, layout::Digit::kReplicated, 0});  // Matrix of the group.
  weights.push_back(0);
  digits.push_back({8, layout::Digit::kReplicated, 0});  // Row.
  weights.push_back(plan.strides[row_dim]);
  const auto matrix_linear = [&](int64_t m) {
    const layout::Dims x = form->outer.coordinates(0, m);
    int64_t sum = 0;
    for (int d = 0; d < x.size(); ++d) sum += x[d] * weight(d);
    return sum;
  };
  // The offset of a matrix within its group must be the same in every group, and linear in the
  // bits of its index, so that a lane computes it once.
  for (int64_t first = 0; first < matrices; first += group) {
    for (int64_t m = 0; m < group; ++m) {
      if (matrix_linear(first + m) - matrix_linear(first) != matrix_linear(m)) return false;
    }
  }
  if (group == 4 && matrix_linear(3) != matrix_linear(1) + matrix_linear(2)) return false;
  std::string sum = out.thread_sum(digits, weights);
  if (group >= 2) {
    const std::vector<layout::Digit> lane_digits = {
        {out.num_threads() / kWarpSize, layout::Digit::kReplicated, 0},
        {2, layout::Digit::kReplicated, 0},
        {2, layout::Digit::kReplicated, 0},
        {8, layout::Digit::kReplicated, 0}};
    const std::string matrix =
        out.thread_sum(lane_digits, {0, group == 4 ? matrix_linear(2) : 0, matrix_linear(1), 0});
    if (matrix != "0") sum = sum == "0" ? matrix : fmt::format("{} + {}", sum, matrix);
  }
  for (const auto& [expr, w] : plan.offsets) {
    sum = fmt::format("(int)({}) * {} + {}", out.scalar(expr), w, sum);
  }
  const std::string at = out.fresh("row");
  out.line("const ab::u32 {} = (ab::u32)({});", at, sum);
  out.line("ab::u32 {}[{}];", out.tile(tile), out.num_words(type));
  for (int64_t first = 0; first < matrices; first += group) {
    const int64_t constant = matrix_linear(first);
    std::string linear = constant == 0 ? at : fmt::format("({} + {})", at, constant);
    if (swizzle.bits > 0) {
      linear = fmt::format("ab::swizzle<{}, {}, {}>({})", swizzle.base, swizzle.bits, swizzle.shift,
                           linear);
    }
    out.line("ab::ldmatrix_x{}{}({} + {}, smem + {} + {}{});", group,
             form->transposed ? "_trans" : "", out.tile(tile), first, plan.byte_offset, linear,
             bits == 8 ? "" : fmt::format(" * {}", bits / 8));
  }
  return true;
}

}  // namespace anybit::vm::cuda
