#include "anybit/kernel/reduce/sum_program.h"

#include "anybit/vm/ir/builder.h"

namespace anybit::kernel {

using vm::Expr;
using vm::KernelBuilder;
using vm::ScalarType;
using vm::Tile;

Result<vm::Program> sum_program() {
  constexpr int64_t kTile = 8192, kTilesPerCta = 8;
  KernelBuilder k("sum", 16);
  const Expr x = k.parameter("x", ScalarType::kPointer), y = k.parameter("y", ScalarType::kPointer);
  const Expr n = k.parameter("n", ScalarType::kI32);
  k.grid({ceil_div(n, kTile * kTilesPerCta)});
  k.assume(equal(n % 4, 0));
  const Tile in = k.global_view(x, numeric::kF32, {n});
  const Tile out = k.global_view(y, numeric::kF32, {Expr(1)});
  const Tile total = k.full(numeric::kF32, {kTile}, Expr::real(0));
  const Expr first = k.let("first", k.block(0) * (kTile * kTilesPerCta));
  k.for_range("i", 0, Expr(kTilesPerCta * kTile), kTile, [&](const Expr& i) {
    k.assign(total, k.add(total, k.load_global(in, {first + i}, {kTile})));
  });
  const Tile sum = k.reduce(total, vm::ReduceOp::kSum, 0);
  k.atomic_global(out, k.iota({1}, 0), sum, vm::AtomicOp::kAdd);
  return k.build();
}

}  // namespace anybit::kernel
