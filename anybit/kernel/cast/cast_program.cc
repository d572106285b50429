#include "anybit/kernel/cast/cast_program.h"

#include "anybit/layout/register_layout_ops.h"
#include "anybit/vm/ir/builder.h"

namespace anybit::kernel {

using layout::local;
using layout::spatial;
using vm::Expr;
using vm::KernelBuilder;
using vm::ScalarType;
using vm::Tile;

Result<vm::Program> cast_program(const numeric::ElementFormat& from,
                                 const numeric::ElementFormat& to) {
  // A thread takes 32 neighbours: whole words at every width. Whatever is 16 bits or wider passes
  // through shared memory, so that neighbouring threads access neighbouring 16 bytes.
  constexpr int64_t kRun = 32, kThreads = 256, kTile = kRun * kThreads;
  const layout::RegisterLayout by_thread = spatial({kThreads}) * local({kRun});
  const auto by_vector = [&](const numeric::ElementFormat& element) {
    const int64_t run = 128 / element.bits;
    return local({kRun / run}) * spatial({kThreads}) * local({run});
  };
  KernelBuilder k("cast", kThreads / vm::kWarpSize);
  const Expr x = k.parameter("x", ScalarType::kPointer), y = k.parameter("y", ScalarType::kPointer);
  const Expr n = k.parameter("n", ScalarType::kI32);
  k.grid({ceil_div(n, kTile)});
  k.assume(equal(n % kRun, 0));
  const Tile source = k.global_view(x, from, {n}), target = k.global_view(y, to, {n});
  const Expr first = k.block(0) * kTile;
  const bool wide_source = from.bits >= 16, wide_target = to.bits >= 16;
  Tile tile = k.load_global(source, {first}, {kTile}, wide_source ? by_vector(from) : by_thread);
  if (wide_source && !wide_target) tile = k.convert_layout(tile, by_thread);
  tile = k.cast(tile, to);
  if (wide_target) tile = k.convert_layout(tile, by_vector(to));
  k.store_global(target, tile, {first});
  return k.build();
}

}  // namespace anybit::kernel
