#include "anybit/vm/ir/mma_atom.h"

#include <array>

#include "anybit/layout/register_layout_ops.h"

namespace anybit::vm {
namespace {

using layout::column_local;
using layout::column_spatial;
using layout::Dims;
using layout::local;
using layout::RegisterLayout;
using layout::replicated;
using layout::spatial;

/// The fragments of m16n8 with `pack` operands in each 32-bit register.
MmaAtom atom(std::string_view name, const numeric::ElementFormat& ab,
             const numeric::ElementFormat& c, int64_t k, int64_t pack, std::string_view function,
             int min_architecture) {
  return {name,
          ab,
          ab,
          c,
          16,
          8,
          k,
          function,
          min_architecture,
          column_local({2, 2}) * spatial({8, 4}) * local({1, pack}),
          local({2, 1}) * column_spatial({4, 8}) * local({pack, 1}),
          local({2, 1}) * spatial({8, 4}) * local({1, 2})};
}

}  // namespace

std::span<const MmaAtom> mma_atoms() {
  using namespace numeric;
  static const std::array<MmaAtom, 8> kAtoms = {
      atom("m16n8k16", kF16, kF32, 16, 2, "mma_m16n8k16_f16", 80),
      atom("m16n8k16", kF16, kF16, 16, 2, "mma_m16n8k16_f16_f16", 80),
      atom("m16n8k16", kBF16, kF32, 16, 2, "mma_m16n8k16_bf16", 80),
      atom("m16n8k8", kTf32, kF32, 8, 1, "mma_m16n8k8_tf32", 80),
      atom("m16n8k32", int_format(8), kInt32, 32, 4, "mma_m16n8k32_s8", 80),
      atom("m16n8k32", uint_format(8), kInt32, 32, 4, "mma_m16n8k32_u8", 80),
      atom("m16n8k32", kE4M3, kF32, 32, 4, "mma_m16n8k32_e4m3", 89),
      atom("m16n8k32", kE5M2, kF32, 32, 4, "mma_m16n8k32_e5m2", 89),
  };
  return kAtoms;
}

const MmaAtom* find_mma_atom(const numeric::ElementFormat& a, const numeric::ElementFormat& b,
                             const numeric::ElementFormat& c, int64_t m, int64_t n, int64_t k) {
  for (const MmaAtom& row : mma_atoms()) {
    if (row.a == a && row.b == b && row.c == c && m % row.m == 0 && n % row.n == 0 &&
        k % row.k == 0) {
      return &row;
    }
  }
  return nullptr;
}

namespace {

/// `tiles` with dimension `dim` gone, then `inner` steps of k in its place.
Result<RegisterLayout> along_k(const RegisterLayout& tiles, int dim, int64_t steps) {
  const int dims[] = {dim};
  ANYBIT_ASSIGN(const RegisterLayout kept, layout::reduce(tiles, dims, true));
  return layout::compose(kept, dim == 1 ? local({1, steps}) : local({steps, 1}));
}

}  // namespace

Result<DotLayouts> dot_layouts(const MmaAtom& atom, const RegisterLayout& c, int64_t k) {
  DotLayouts layouts;
  ANYBIT_ASSIGN(layouts.tiles, layout::divide(c, atom.c_layout));
  ANYBIT_ASSIGN(const RegisterLayout a_tiles, along_k(layouts.tiles, 1, k / atom.k));
  ANYBIT_ASSIGN(const RegisterLayout b_tiles, along_k(layouts.tiles, 0, k / atom.k));
  ANYBIT_ASSIGN(layouts.a, layout::compose(a_tiles, atom.a_layout));
  ANYBIT_ASSIGN(layouts.b, layout::compose(b_tiles, atom.b_layout));
  return layouts;
}

Result<RegisterLayout> choose_accumulator_layout(const MmaAtom& atom, int64_t m, int64_t n,
                                                 int64_t num_warps) {
  int64_t best_rows = 0, best_cost = 0;
  for (int64_t rows = 1; rows <= num_warps; ++rows) {
    if (num_warps % rows != 0 || m % (atom.m * rows) != 0) continue;
    const int64_t columns = num_warps / rows;
    if (n % (atom.n * columns) != 0) continue;
    const int64_t cost = m / rows + n / columns;
    if (best_rows == 0 || cost < best_cost) {
      best_rows = rows;
      best_cost = cost;
    }
  }
  if (best_rows == 0) {
    return fail(ErrorCode::kInvalidArgument,
                "a [{}, {}] accumulator cannot be spread over {} warps by tiles of [{}, {}]", m, n,
                num_warps, atom.m, atom.n);
  }
  const int64_t columns = num_warps / best_rows;
  return spatial({best_rows, columns}) * local({m / (atom.m * best_rows), n / (atom.n * columns)}) *
         atom.c_layout;
}

Result<DotLayouts> scalar_dot_layouts(const RegisterLayout& c, int64_t k) {
  DotLayouts layouts;
  layouts.tiles = c;
  ANYBIT_ASSIGN(layouts.a, along_k(c, 1, k));
  ANYBIT_ASSIGN(layouts.b, along_k(c, 0, k));
  return layouts;
}

}  // namespace anybit::vm
