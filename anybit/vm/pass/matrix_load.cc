#include "anybit/vm/pass/matrix_load.h"

#include <numeric>

#include "anybit/layout/register_layout_ops.h"
#include "anybit/vm/ir/program.h"

namespace anybit::vm {
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

std::optional<MatrixLoadPlan> match_grid(const TensorType& type, const SharedView& shared) {
  const int rank = static_cast<int>(type.rank()), bits = type.element.bits;
  if (rank < 2 || bits % 8 != 0) return std::nullopt;
  MatrixLoadPlan grid;
  grid.row_dim = rank - 2;
  grid.run_dim = rank - 1;
  std::optional<MatrixForm> form;
  if (shared.strides[rank - 1] == 1) {
    form = match(*type.register_layout, bits);
  } else if (shared.strides[rank - 2] == 1) {
    // Stored with the dimension before the last contiguous: rows of matrices are our columns.
    std::swap(grid.row_dim, grid.run_dim);
    const auto turned = layout::transpose(*type.register_layout, rank - 2, rank - 1);
    if (!turned) return std::nullopt;
    form = match(*turned, bits);
    if (form) {
      const auto back = layout::transpose(form->outer, rank - 2, rank - 1);
      if (!back) return std::nullopt;
      form->outer = *back;
    }
  }
  if (!form) return std::nullopt;
  grid.is_transposed = form->transposed;
  grid.matrices = form->outer;
  for (int d = 0; d < rank; ++d) {
    const int64_t extent = d == grid.row_dim   ? 8
                           : d != grid.run_dim ? 1
                           : form->transposed  ? 8
                                               : 128 / bits;
    grid.weights.push_back(shared.strides[static_cast<size_t>(d)] * extent);
  }
  return grid;
}

/// Whether every row of 16 bytes begins at a multiple of 16 and survives the swizzle whole.
bool has_whole_rows(const MatrixLoadPlan& grid, const SharedView& shared, int bits,
                    const ScalarAnalysis& scalars) {
  const int64_t row_elements = 128 / bits;
  int64_t divisor = shared.strides[static_cast<size_t>(grid.row_dim)];
  for (const auto& digits : {grid.matrices.thread_digits(), grid.matrices.local_digits()}) {
    for (const layout::Digit& digit : digits) {
      if (digit.is_replicated()) continue;
      divisor = std::gcd(divisor, digit.stride * grid.weights[static_cast<size_t>(digit.dim)]);
    }
  }
  for (const auto& [expr, weight] : shared.offsets) {
    divisor = std::gcd(divisor, scalars.divisor(expr) * weight);
  }
  return divisor % row_elements == 0 &&
         (shared.swizzle.bits == 0 || (int64_t{1} << shared.swizzle.base) >= row_elements);
}

/// Whether a lane's matrix of a group of `group` lies at an offset that is linear in the bits of
/// its number and the same in every group: then each lane computes it once.
bool has_linear_groups(const MatrixLoadPlan& grid, int64_t group) {
  for (int64_t first = 0; first < grid.matrices.local_size(); first += group) {
    for (int64_t m = 0; m < group; ++m) {
      if (grid.linear(first + m) - grid.linear(first) != grid.linear(m)) return false;
    }
  }
  return group < 4 || grid.linear(3) == grid.linear(1) + grid.linear(2);
}

}  // namespace

int64_t MatrixLoadPlan::linear(int64_t matrix) const {
  const layout::Dims x = matrices.coordinates(0, matrix);
  int64_t sum = 0;
  for (int d = 0; d < x.size(); ++d) sum += x[d] * weights[static_cast<size_t>(d)];
  return sum;
}

std::optional<MatrixLoadPlan> plan_matrix_load(const TensorType& type, const SharedView& shared,
                                               int64_t num_threads, const ScalarAnalysis& scalars) {
  auto grid = match_grid(type, shared);
  if (!grid || grid->matrices.num_threads() * kWarpSize != num_threads) return std::nullopt;
  const int64_t count = grid->matrices.local_size();
  grid->group = count % 4 == 0 ? 4 : count % 2 == 0 ? 2 : 1;
  if (!has_whole_rows(*grid, shared, type.element.bits, scalars) ||
      !has_linear_groups(*grid, grid->group)) {
    return std::nullopt;
  }
  return grid;
}

}  // namespace anybit::vm
