#include "anybit/kernel/norm/rms_norm_program.h"

#include "anybit/vm/ir/builder.h"

namespace anybit::kernel {

using vm::Expr;
using vm::KernelBuilder;
using vm::ReduceOp;
using vm::ScalarType;
using vm::Tile;

Result<vm::Program> rms_norm_program(const numeric::ElementFormat& element, int64_t columns) {
  return rms_norm_program(element, columns, {.num_warps = columns >= 4096 ? 16 : 4});
}

Result<vm::Program> rms_norm_program(const numeric::ElementFormat& element, int64_t columns,
                                     const RowSchedule& schedule) {
  KernelBuilder k("rms_norm", schedule.num_warps);
  const Expr x = k.parameter("x", ScalarType::kPointer);
  const Expr w = k.parameter("weight", ScalarType::kPointer);
  const Expr y = k.parameter("y", ScalarType::kPointer);
  const Expr rows = k.parameter("rows", ScalarType::kI32);
  const Expr epsilon = k.parameter("epsilon", ScalarType::kF32);
  k.grid({ceil_div(rows, schedule.rows)});
  const Tile in = k.global_view(x, element, {rows, Expr(columns)});
  const Tile weight = k.global_view(w, element, {Expr(columns)});
  const Tile out = k.global_view(y, element, {rows, Expr(columns)});
  const Expr row = k.block(0) * schedule.rows;
  const Tile values = k.cast(k.load_global(in, {row, 0}, {schedule.rows, columns}), numeric::kF32);
  const Tile gains = k.cast(k.load_global(weight, {0}, {columns}), numeric::kF32);
  const Tile squares = k.reduce(k.mul(values, values), ReduceOp::kSum, 1);
  const Tile share = k.full(numeric::kF32, {1, 1}, Expr::real(1.0F / static_cast<float>(columns)));
  const Tile mean = k.fma(squares, share, k.full(numeric::kF32, {1, 1}, epsilon));
  const Tile scaled = k.mul(values, k.unary(vm::UnaryOp::kRsqrt, mean));
  k.store_global(out, k.cast(k.mul(scaled, gains), element), {row, 0});
  return k.build();
}

}  // namespace anybit::kernel
