#include "anybit/vm/backend/cuda/emit/internal/ldmatrix.h"

#include <numeric>

#include "anybit/layout/register_layout_ops.h"
#include "anybit/vm/backend/cuda/emit/internal/memory_access.h"

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

/// A tile as a grid of matrices in shared memory.
struct MatrixGrid {
  MatrixForm form;
  int row_dim = 0;               // Along which the rows of a matrix follow each other.
  int run_dim = 0;               // Along which a row runs.
  std::vector<int64_t> weights;  // What a step of a matrix along each dimension adds, in elements.

  int64_t linear(int64_t matrix) const {
    const layout::Dims x = form.outer.coordinates(0, matrix);
    int64_t sum = 0;
    for (int d = 0; d < x.size(); ++d) sum += x[d] * weights[static_cast<size_t>(d)];
    return sum;
  }
};

std::optional<MatrixGrid> match_grid(const TensorType& type, const SharedView& shared) {
  const int rank = static_cast<int>(type.rank()), bits = type.element.bits;
  if (rank < 2 || bits % 8 != 0) return std::nullopt;
  MatrixGrid grid;
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
  grid.form = *form;
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
bool has_whole_rows(const MatrixGrid& grid, const SharedView& shared, int bits,
                    const ScalarAnalysis& scalars) {
  const int64_t row_elements = 128 / bits;
  int64_t divisor = shared.strides[static_cast<size_t>(grid.row_dim)];
  for (const auto& digits : {grid.form.outer.thread_digits(), grid.form.outer.local_digits()}) {
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
bool has_linear_groups(const MatrixGrid& grid, int64_t group) {
  for (int64_t first = 0; first < grid.form.outer.local_size(); first += group) {
    for (int64_t m = 0; m < group; ++m) {
      if (grid.linear(first + m) - grid.linear(first) != grid.linear(m)) return false;
    }
  }
  return group < 4 || grid.linear(3) == grid.linear(1) + grid.linear(2);
}

/// The element index of the row that a lane points at: row l % 8 of matrix l / 8 of its group.
std::string lane_row(Emitter& out, const MatrixGrid& grid, const SharedView& shared,
                     int64_t group) {
  const auto warp_digits = grid.form.outer.thread_digits();
  std::vector<layout::Digit> digits(warp_digits.begin(), warp_digits.end());
  std::vector<int64_t> weights;
  for (const layout::Digit& digit : digits) {
    weights.push_back(
        digit.is_replicated() ? 0 : digit.stride * grid.weights[static_cast<size_t>(digit.dim)]);
  }
  digits.push_back({2, layout::Digit::kReplicated, 0});
  weights.push_back(group == 4 ? grid.linear(2) : 0);
  digits.push_back({2, layout::Digit::kReplicated, 0});
  weights.push_back(group >= 2 ? grid.linear(1) : 0);
  digits.push_back({8, layout::Digit::kReplicated, 0});
  weights.push_back(shared.strides[static_cast<size_t>(grid.row_dim)]);
  std::string sum = out.thread_sum(digits, weights);
  for (const auto& [expr, weight] : shared.offsets) {
    sum = fmt::format("(int)({}) * {} + {}", out.scalar(expr), weight, sum);
  }
  return sum;
}

/// How a tile is moved: matrices in groups of one instruction each.
struct MatrixMove {
  MatrixGrid grid;
  int64_t matrices = 0;
  int64_t group = 1;  // 4, 2 or 1.
};

std::optional<MatrixMove> plan_move(const Emitter& out, const TensorType& type,
                                    const SharedView& shared) {
  const auto grid = match_grid(type, shared);
  if (!grid || grid->form.outer.num_threads() * kWarpSize != out.num_threads()) return std::nullopt;
  const int64_t matrices = grid->form.outer.local_size();
  const int64_t group = matrices % 4 == 0 ? 4 : matrices % 2 == 0 ? 2 : 1;
  if (!has_whole_rows(*grid, shared, type.element.bits, out.scalars()) ||
      !has_linear_groups(*grid, group)) {
    return std::nullopt;
  }
  return MatrixMove{*grid, matrices, group};
}

/// Calls emit(suffix, first word, address) for every group.
template <class Emit>
void for_each_group(Emitter& out, const MatrixMove& move, const SharedView& shared, int bits,
                    const Emit& emit) {
  const std::string at = out.fresh("row");
  out.line("const ab::u32 {} = (ab::u32)({});", at, lane_row(out, move.grid, shared, move.group));
  for (int64_t first = 0; first < move.matrices; first += move.group) {
    emit(fmt::format("x{}{}", move.group, move.grid.form.transposed ? "_trans" : ""), first,
         shared_address(shared, bits, at, move.grid.linear(first)));
  }
}

}  // namespace

bool emit_ldmatrix(Emitter& out, const std::string& array, const TensorType& type,
                   const SharedView& shared) {
  const auto move = plan_move(out, type, shared);
  if (!move) return false;
  out.line("ab::u32 {}[{}];", array, out.num_words(type));
  for_each_group(out, *move, shared, type.element.bits,
                 [&](const std::string& suffix, int64_t word, const std::string& address) {
                   out.line("ab::ldmatrix_{}({} + {}, {});", suffix, array, word, address);
                 });
  return true;
}

bool emit_stmatrix(Emitter& out, const std::string& array, const TensorType& type,
                   const SharedView& shared) {
  constexpr int kFirstArchitecture = 90;
  if (out.architecture() < kFirstArchitecture || type.register_layout->replication() != 1) {
    return false;
  }
  const auto move = plan_move(out, type, shared);
  if (!move) return false;
  for_each_group(out, *move, shared, type.element.bits,
                 [&](const std::string& suffix, int64_t word, const std::string& address) {
                   out.line("ab::stmatrix_{}({}, {} + {});", suffix, address, array, word);
                 });
  return true;
}

}  // namespace anybit::vm::cuda
