#include "anybit/kernel/hadamard/hadamard_program.h"

#include <cmath>

#include "anybit/vm/ir/builder.h"

namespace anybit::kernel {

using vm::Expr;
using vm::KernelBuilder;
using vm::ReduceOp;
using vm::ScalarType;
using vm::Tile;

Result<vm::Program> hadamard_program(const numeric::ElementFormat& element, int64_t columns) {
  KernelBuilder k("hadamard", columns >= 1024 ? 4 : 1);
  const Expr x = k.parameter("x", ScalarType::kPointer), y = k.parameter("y", ScalarType::kPointer);
  const Expr rows = k.parameter("rows", ScalarType::kI32);
  k.grid({rows});
  const Tile in = k.global_view(x, element, {rows, Expr(columns)});
  const Tile out = k.global_view(y, element, {rows, Expr(columns)});
  const Expr row = k.block(0);
  Tile values = k.cast(k.load_global(in, {row, 0}, {1, columns}), numeric::kF32);
  // One step of the butterfly for each bit of the column: (u, v) becomes (u + v, u - v).
  for (int64_t stride = 1; stride < columns; stride *= 2) {
    const std::vector<int64_t> shape = {columns / (2 * stride), 2, stride};
    const Tile pairs = k.reshape(values, shape);
    const Tile is_second =
        k.compare(vm::CompareOp::kEqual, k.iota({1, 2, 1}, 1), k.full(vm::kInt32, {1, 1, 1}, 1));
    const Tile signs = k.select(is_second, k.full(numeric::kF32, {1, 1, 1}, Expr::real(-1)),
                                k.full(numeric::kF32, {1, 1, 1}, Expr::real(1)));
    const Tile sum = k.reduce(pairs, ReduceOp::kSum, 1);
    const Tile difference = k.reduce(k.mul(pairs, signs), ReduceOp::kSum, 1);
    values = k.reshape(k.select(is_second, difference, sum), {1, columns});
  }
  const Tile scale =
      k.full(numeric::kF32, {1, 1}, Expr::real(1.0F / std::sqrt(static_cast<float>(columns))));
  k.store_global(out, k.cast(k.mul(values, scale), element), {row, 0});
  return k.build();
}

}  // namespace anybit::kernel
