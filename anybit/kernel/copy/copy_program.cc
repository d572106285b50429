#include "anybit/kernel/copy/copy_program.h"

#include "anybit/layout/register_layout_ops.h"
#include "anybit/vm/ir/builder.h"

namespace anybit::kernel {

using vm::Expr;
using vm::KernelBuilder;
using vm::ScalarType;
using vm::Tile;

Result<vm::Program> copy_program(const CopySchedule& schedule) {
  KernelBuilder k("copy", schedule.num_warps);
  const Expr x = k.parameter("x", ScalarType::kPointer), y = k.parameter("y", ScalarType::kPointer);
  const Expr n = k.parameter("n", ScalarType::kI32);
  k.grid({ceil_div(n, schedule.words)});
  k.assume(equal(n % 4, 0));
  const Tile from = k.global_view(x, vm::kUint32, {n}), to = k.global_view(y, vm::kUint32, {n});
  const Expr first = k.block(0) * schedule.words;
  k.store_global(to, k.load_global(from, {first}, {schedule.words}), {first});
  return k.build();
}

Result<vm::Program> transpose_program(const numeric::ElementFormat& element) {
  constexpr int64_t kTile = 64;
  KernelBuilder k("transpose", 8);
  const Expr x = k.parameter("x", ScalarType::kPointer), y = k.parameter("y", ScalarType::kPointer);
  const Expr rows = k.parameter("rows", ScalarType::kI32);
  const Expr columns = k.parameter("columns", ScalarType::kI32);
  k.grid({columns / kTile, rows / kTile});
  k.assume(equal(rows % kTile, 0));
  k.assume(equal(columns % kTile, 0));
  const Tile from = k.global_view(x, element, {rows, columns});
  const Tile to = k.global_view(y, element, {columns, rows});
  const Expr row = k.block(1) * kTile, column = k.block(0) * kTile;
  const int64_t run = 128 / element.bits;
  ANYBIT_ASSIGN(const layout::RegisterLayout by_rows,
                layout::coalesced({kTile, kTile}, 8 * vm::kWarpSize, run));
  const Tile tile = k.load_global(from, {row, column}, {kTile, kTile}, by_rows);
  k.store_global(to, k.convert_layout(k.permute(tile, {1, 0}), by_rows), {column, row});
  return k.build();
}

}  // namespace anybit::kernel
