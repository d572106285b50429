#include "anybit/kernel/histogram/histogram_program.h"

#include "anybit/vm/ir/builder.h"

namespace anybit::kernel {

using vm::Expr;
using vm::KernelBuilder;
using vm::ScalarType;
using vm::Tile;

Result<vm::Program> histogram_program() {
  constexpr int64_t kTile = 8192, kTilesPerCta = 16, kBins = 256;
  KernelBuilder k("histogram", 16);
  const Expr x = k.parameter("x", ScalarType::kPointer);
  const Expr counts = k.parameter("counts", ScalarType::kPointer);
  const Expr n = k.parameter("n", ScalarType::kI32);
  k.grid({ceil_div(n, kTile * kTilesPerCta)});
  k.assume(equal(n % 16, 0));
  const Tile in = k.global_view(x, numeric::uint_format(8), {n});
  const Tile out = k.global_view(counts, vm::kInt32, {Expr(kBins)});
  const Tile bins = k.alloc_shared(vm::kInt32, {kBins});
  k.store_shared(bins, k.full(vm::kInt32, {kBins}, 0));
  k.sync();
  const Expr first = k.let("first", k.block(0) * (kTile * kTilesPerCta));
  k.for_range("i", 0, Expr(kTile * kTilesPerCta), kTile, [&](const Expr& i) {
    const Tile bytes = k.load_global(in, {first + i}, {kTile});
    // What lies beyond the end counts in no bin.
    const Tile position = k.add(k.iota({kTile}, 0), k.full(vm::kInt32, {1}, first + i));
    const Tile inside = k.compare(vm::CompareOp::kLess, position, k.full(vm::kInt32, {1}, n));
    const Tile bin = k.select(inside, k.cast(bytes, vm::kInt32), k.full(vm::kInt32, {1}, -1));
    k.atomic_shared(bins, bin, k.full(vm::kInt32, {kTile}, 1), vm::AtomicOp::kAdd);
  });
  k.sync();
  k.atomic_global(out, k.iota({kBins}, 0), k.load_shared(bins), vm::AtomicOp::kAdd);
  return k.build();
}

}  // namespace anybit::kernel
