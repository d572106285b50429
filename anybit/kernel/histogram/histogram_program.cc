#include "anybit/kernel/histogram/histogram_program.h"

#include "anybit/vm/ir/builder.h"

namespace anybit::kernel {

using vm::Expr;
using vm::KernelBuilder;
using vm::ScalarType;
using vm::Tile;

namespace {

constexpr int64_t kWarps = 32, kLanes = vm::kWarpSize, kRun = 16;  // Bytes that a thread reads.
constexpr int64_t kTile = 2 * kWarps * kLanes * kRun, kTilesPerCta = 16, kBins = 256;

/// Counts a tile of bytes: bin b of lane l is counts[32 * b + l], so that each lane of a warp
/// counts in a bank of its own and no two of them ever add to one word. What `inside` denies is
/// not counted.
void count(KernelBuilder& k, Tile counts, Tile bytes, const Tile* inside) {
  const auto number = [&](int64_t value) { return k.full(vm::kInt32, {1, 1, 1, 1}, value); };
  const std::vector<int64_t> shape = {kTile / (kWarps * kLanes * kRun), kWarps, kLanes, kRun};
  const Tile lane = k.iota({1, 1, kLanes, 1}, 2);
  Tile index = k.add(k.mul(k.cast(k.reshape(bytes, shape), vm::kInt32), number(kLanes)), lane);
  if (inside != nullptr) index = k.select(k.reshape(*inside, shape), index, number(-1));
  k.atomic_shared(counts, index, k.full(vm::kInt32, shape, 1), vm::AtomicOp::kAdd);
}

}  // namespace

Result<vm::Program> histogram_program() {
  KernelBuilder k("histogram", static_cast<int>(kWarps));
  const Expr x = k.parameter("x", ScalarType::kPointer);
  const Expr counts = k.parameter("counts", ScalarType::kPointer);
  const Expr n = k.parameter("n", ScalarType::kI32);
  k.grid({ceil_div(n, kTile * kTilesPerCta)});
  k.assume(equal(n % kRun, 0));
  const Tile in = k.global_view(x, numeric::uint_format(8), {n});
  const Tile out = k.global_view(counts, vm::kInt32, {Expr(kBins)});
  const Tile bins = k.alloc_shared(vm::kInt32, {kBins * kLanes});
  k.store_shared(bins, k.full(vm::kInt32, {kBins * kLanes}, 0));
  k.sync();
  const Expr first = k.let("first", k.block(0) * (kTile * kTilesPerCta));
  k.for_range("i", 0, Expr(kTile * kTilesPerCta), kTile, [&](const Expr& i) {
    const Expr begin = k.let("begin", first + i);
    k.if_then(
        less_equal(begin, n - kTile),
        [&] {
          const vm::Attribute in_bounds = int64_t{1};
          count(k, bins,
                k.emit(vm::Opcode::kLoadGlobal, {in},
                       {std::vector<Expr>{begin}, std::vector<int64_t>{kTile}, {}, in_bounds}),
                nullptr);
        },
        [&] {
          const Tile position = k.add(k.iota({kTile}, 0), k.full(vm::kInt32, {1}, begin));
          const Tile inside = k.compare(vm::CompareOp::kLess, position, k.full(vm::kInt32, {1}, n));
          count(k, bins, k.load_global(in, {begin}, {kTile}), &inside);
        });
  });
  k.sync();
  const Tile by_lane = k.load_shared(k.reshape_shared(bins, {kBins, kLanes}));
  const Tile sums = k.reshape(k.reduce(by_lane, vm::ReduceOp::kSum, 1), {kBins});
  k.atomic_global(out, k.iota({kBins}, 0), sums, vm::AtomicOp::kAdd);
  return k.build();
}

}  // namespace anybit::kernel
