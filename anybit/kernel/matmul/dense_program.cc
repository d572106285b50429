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
  const Tile a_stages = kb.alloc_shared(element, {s.num_stages, s.tile_m, s.tile_k});
  const Tile b_stages = kb.alloc_shared(element, {s.num_stages, s.tile_n, s.tile_k});
  const auto stage_of = [&](Tile stages, const Expr& stage, int64_t rows) {
    return kb.reshape_shared(kb.slice_shared(stages, {stage, 0, 0}, {1, rows, s.tile_k}),
                             {rows, s.tile_k});
  };
  const auto fetch = [&](const Expr& step, const Expr& stage) {
    kb.copy_async(stage_of(a_stages, stage, s.tile_m), a_all, {row, step * s.tile_k});
    kb.copy_async(stage_of(b_stages, stage, s.tile_n), b_all, {column, step * s.tile_k});
  };
  const Expr steps = kb.let("steps", k / s.tile_k);
  for (int64_t stage = 0; stage + 1 < s.num_stages; ++stage) {
    fetch(Expr(stage), Expr(stage));
    kb.copy_async_commit();
  }
  const Tile sum = kb.full(numeric::kF32, {s.tile_m, s.tile_n}, Expr::real(0));
  kb.for_range("step", 0, steps, 1, [&](const Expr& step) {
    kb.copy_async_wait(s.num_stages - 2);
    kb.sync();
    fetch(step + (s.num_stages - 1), (step + (s.num_stages - 1)) % s.num_stages);
    kb.copy_async_commit();
    const Tile left = kb.load_shared(stage_of(a_stages, step % s.num_stages, s.tile_m));
    const Tile right = kb.load_shared(
        kb.permute_shared(stage_of(b_stages, step % s.num_stages, s.tile_n), {1, 0}));
    kb.assign(sum, kb.dot(left, right, sum));
  });
  ANYBIT_ASSIGN(const layout::RegisterLayout by_rows,
                layout::coalesced({s.tile_m, s.tile_n}, int64_t{s.num_warps} * vm::kWarpSize, 8));
  kb.copy_async_wait(0);
  kb.free_shared(a_stages);
  kb.free_shared(b_stages);
  kb.store_global(c_all, kb.convert_layout(kb.cast(sum, element), by_rows), {row, column});
  return kb.build();
}

}  // namespace anybit::kernel
