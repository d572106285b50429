// The shapes that tensor cores multiply in one step (mma.sync), and how dot is tiled with them.
// One row each; layout inference and code generation both read this table.
#pragma once

#include <span>
#include <string_view>

#include "anybit/layout/register_layout.h"
#include "anybit/vm/ir/tensor_type.h"

namespace anybit::vm {

/// One mma: d[m, n] = a[m, k] . b[k, n] + c[m, n] by one warp.
struct MmaAtom {
  std::string_view name;  // "m16n8k16"
  numeric::ElementFormat a;
  numeric::ElementFormat b;
  numeric::ElementFormat c;
  int64_t m = 16;
  int64_t n = 8;
  int64_t k = 16;
  std::string_view function;  // Of the device header.
  int min_architecture = 80;
  layout::RegisterLayout a_layout;  // 32 threads, as PTX ISA 9.7.15 draws the fragments.
  layout::RegisterLayout b_layout;
  layout::RegisterLayout c_layout;
};

/// Every atom. `tf32` operands are f32 tiles of a dot with precision=tf32: the row names kTf32.
std::span<const MmaAtom> mma_atoms();

/// The atom for these elements whose shape divides [m, n, k]; null: none.
const MmaAtom* find_mma_atom(const numeric::ElementFormat& a, const numeric::ElementFormat& b,
                             const numeric::ElementFormat& c, int64_t m, int64_t n, int64_t k);

/// Layouts of the operands of a dot under an accumulator laid out as `c`, which must be a product
/// P . atom.c_layout: each warp multiplies its own tiles of P, over all of k.
struct DotLayouts {
  layout::RegisterLayout a;      // [m, k]
  layout::RegisterLayout b;      // [k, n]
  layout::RegisterLayout tiles;  // P: [m / atom.m, n / atom.n], over warps.
};
/// Errors: kInvalidArgument if `c` is no such product.
Result<DotLayouts> dot_layouts(const MmaAtom& atom, const layout::RegisterLayout& c, int64_t k);

/// The accumulator layout for [m, n] over num_warps warps that needs the fewest operand registers.
/// Errors: kInvalidArgument if no arrangement of the warps divides the tile.
Result<layout::RegisterLayout> choose_accumulator_layout(const MmaAtom& atom, int64_t m, int64_t n,
                                                         int64_t num_warps);

/// Layouts of a and b for a dot without tensor cores under any accumulator layout: each thread has
/// the rows and columns of its elements.
Result<DotLayouts> scalar_dot_layouts(const layout::RegisterLayout& c, int64_t k);

}  // namespace anybit::vm
