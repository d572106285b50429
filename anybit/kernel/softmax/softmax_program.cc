#include "anybit/kernel/softmax/softmax_program.h"

#include <numbers>

#include "anybit/vm/ir/builder.h"

namespace anybit::kernel {

using vm::Expr;
using vm::KernelBuilder;
using vm::ReduceOp;
using vm::ScalarType;
using vm::Tile;

Result<vm::Program> softmax_program(const numeric::ElementFormat& element, int64_t columns) {
  return softmax_program(element, columns, {.num_warps = static_cast<int>(columns / 512)});
}

Result<vm::Program> softmax_program(const numeric::ElementFormat& element, int64_t columns,
                                    const RowSchedule& schedule) {
  KernelBuilder k("softmax", schedule.num_warps);
  const Expr x = k.parameter("x", ScalarType::kPointer), y = k.parameter("y", ScalarType::kPointer);
  const Expr rows = k.parameter("rows", ScalarType::kI32);
  k.grid({ceil_div(rows, schedule.rows)});
  const Tile in = k.global_view(x, element, {rows, Expr(columns)});
  const Tile out = k.global_view(y, element, {rows, Expr(columns)});
  const Expr row = k.block(0) * schedule.rows;
  const auto number = [&](float value) { return k.full(numeric::kF32, {1, 1}, Expr::real(value)); };
  const Tile values = k.cast(k.load_global(in, {row, 0}, {schedule.rows, columns}), numeric::kF32);
  const Tile largest = k.reduce(values, ReduceOp::kMax, 1);
  // e^(x - max) = 2^(x log2(e) - max log2(e)): one multiply-add and one exp2.
  const Tile log2e = number(std::numbers::log2e_v<float>);
  const Tile shift = k.unary(vm::UnaryOp::kNegate, k.mul(largest, log2e));
  const Tile powers = k.unary(vm::UnaryOp::kExp2, k.fma(values, log2e, shift));
  const Tile scale = k.unary(vm::UnaryOp::kReciprocal, k.reduce(powers, ReduceOp::kSum, 1));
  k.store_global(out, k.cast(k.mul(powers, scale), element), {row, 0});
  return k.build();
}

}  // namespace anybit::kernel
