#include "anybit/kernel/matmul/dense_program.h"

#include "anybit/layout/register_layout_ops.h"
#include "anybit/vm/ir/builder.h"

namespace anybit::kernel {

using vm::Expr;
using vm::KernelBuilder;
using vm::ScalarType;
using vm::Tile;

Result<vm::Program> dense_matmul_program(const numeric::ElementFormat& element,
                                         const DenseSchedule& s) {
  KernelBuilder kb("dense_matmul", s.num_warps);
  const Expr a = kb.parameter("a", ScalarType::kPointer),
             b = kb.parameter("b", ScalarType::kPointer);
  const Expr c = kb.parameter("c", ScalarType::kPointer);
  const Expr m = kb.parameter("m", ScalarType::kI32), n = kb.parameter("n", ScalarType::kI32);
  const Expr k = kb.parameter("k", ScalarType::kI32);
  kb.assume(equal(n % 8, 0));
  kb.assume(equal(k % s.tile_k, 0));
  kb.grid({ceil_div(m, s.tile_m), ceil_div(n, s.tile_n)});
  const Tile a_all = kb.global_view(a, element, {m, k}), b_all = kb.global_view(b, element, {n, k});
  const Tile c_all = kb.global_view(c, element, {m, n});
  const Expr row = kb.block(0) * s.tile_m, column = kb.block(1) * s.tile_n;
  const Tile sum = kb.full(numeric::kF32, {s.tile_m, s.tile_n}, Expr::real(0));
  kb.for_range("p", 0, k, s.tile_k,
               [&](const Expr& p) {
                 const Tile left = kb.load_global(a_all, {row, p}, {s.tile_m, s.tile_k});
                 const Tile right = kb.load_global(b_all, {column, p}, {s.tile_n, s.tile_k});
                 kb.assign(sum, kb.dot(left, kb.permute(right, {1, 0}), sum));
               },
               {.num_stages = s.num_stages});
  ANYBIT_ASSIGN(const layout::RegisterLayout by_rows,
                layout::coalesced({s.tile_m, s.tile_n}, int64_t{s.num_warps} * vm::kWarpSize, 8));
  kb.store_global(c_all, kb.convert_layout(kb.cast(sum, element), by_rows), {row, column});
  return kb.build();
}

}  // namespace anybit::kernel
