#include "anybit/kernel/hadamard/hadamard_program.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "anybit/base/check.h"
#include "anybit/layout/register_layout_ops.h"
#include "anybit/vm/ir/builder.h"

namespace anybit::kernel {

using layout::Digit;
using layout::RegisterLayout;
using vm::Expr;
using vm::KernelBuilder;
using vm::ReduceOp;
using vm::ScalarType;
using vm::Tile;

namespace {

/// The row's layout whose threads hold what differs in the bits `local` (ascending); the other bits
/// number the threads, the least first.
Result<RegisterLayout> layout_of_bits(int num_bits, const std::vector<int>& local) {
  std::vector<Digit> threads, locals;
  for (int bit = num_bits; bit-- > 0;) {
    const bool is_local = std::find(local.begin(), local.end(), bit) != local.end();
    (is_local ? locals : threads).push_back({2, 1, int64_t{1} << bit});
  }
  return RegisterLayout::from_digits(std::vector<int64_t>{1, int64_t{1} << num_bits}, threads,
                                     locals);
}

/// One step of the butterfly: (u, v), whose columns differ in `bit`, becomes (u + v, u - v).
Tile butterfly(KernelBuilder& k, Tile values, const RegisterLayout& held, int bit) {
  const int64_t stride = int64_t{1} << bit, columns = held.size();
  const std::vector<int64_t> shape = {columns / (2 * stride), 2, stride};
  const auto pairs_held = layout::reshape(held, layout::Dims(shape));
  ANYBIT_CHECK(pairs_held.has_value());  // The digits of `held` are bits.
  const Tile pairs = k.reshape(values, shape);
  const Tile is_second =
      k.compare(vm::CompareOp::kEqual, k.iota({1, 2, 1}, 1), k.full(vm::kInt32, {1, 1, 1}, 1));
  const Tile sum = k.reduce(pairs, ReduceOp::kSum, 1);
  const Tile negated = k.select(is_second, k.unary(vm::UnaryOp::kNegate, pairs), pairs);
  const Tile difference = k.reduce(negated, ReduceOp::kSum, 1);
  const Tile both = k.emit(vm::Opcode::kSelect, {is_second, difference, sum}, {}, *pairs_held);
  return k.reshape(both, {1, columns});
}

/// The bits of the column that a thread holds in each phase: the butterflies of those not yet done
/// stay within threads, and only the change from one phase to the next moves elements. The first
/// and the last phase hold the lowest bits, so that memory is read and written in long runs.
std::vector<std::vector<int>> phases(int num_bits, int local_bits, int run_bits) {
  std::vector<int> first;
  for (int bit = 0; bit < run_bits; ++bit) first.push_back(bit);
  const int middle_end = num_bits - (local_bits - run_bits);
  for (int bit = middle_end; bit < num_bits; ++bit) first.push_back(bit);
  std::vector<std::vector<int>> result = {first};
  for (int bit = run_bits; bit < middle_end;) {
    std::vector<int> phase;
    const int left = middle_end - bit;
    const bool is_last = left <= local_bits - run_bits;
    const int taken = is_last ? left : std::min(left, local_bits);
    for (int i = 0; i < taken; ++i) phase.push_back(bit + i);
    // Filled up with the lowest bits, which the last phase needs anyway.
    for (int i = 0; static_cast<int>(phase.size()) < local_bits && i < num_bits; ++i) {
      if (std::find(phase.begin(), phase.end(), i) == phase.end()) phase.push_back(i);
    }
    result.push_back(phase);
    bit += taken;
    if (bit >= middle_end && !is_last) result.push_back(first);
  }
  return result;
}

}  // namespace

Result<vm::Program> hadamard_program(const numeric::ElementFormat& element, int64_t columns) {
  const int num_bits = std::countr_zero(static_cast<uint64_t>(columns));
  const int thread_bits = std::clamp(num_bits - 5, 5, 7);
  const int local_bits = num_bits - thread_bits;
  const int run_bits = std::min(local_bits, std::countr_zero(128U / element.bits));
  KernelBuilder k("hadamard", (1 << thread_bits) / vm::kWarpSize);
  const Expr x = k.parameter("x", ScalarType::kPointer), y = k.parameter("y", ScalarType::kPointer);
  const Expr rows = k.parameter("rows", ScalarType::kI32);
  k.grid({rows});
  const Tile in = k.global_view(x, element, {rows, Expr(columns)});
  const Tile out = k.global_view(y, element, {rows, Expr(columns)});
  const Expr row = k.block(0);
  Tile values;
  std::vector<bool> done(static_cast<size_t>(num_bits));
  for (const std::vector<int>& phase : phases(num_bits, local_bits, run_bits)) {
    ANYBIT_ASSIGN(const RegisterLayout held, layout_of_bits(num_bits, phase));
    values = values.id == vm::kNoValue
                 ? k.cast(k.load_global(in, {row, 0}, {1, columns}, held), numeric::kF32)
                 : k.convert_layout(values, held);
    for (const int bit : phase) {
      if (!done[static_cast<size_t>(bit)]) values = butterfly(k, values, held, bit);
      done[static_cast<size_t>(bit)] = true;
    }
  }
  const Tile scale =
      k.full(numeric::kF32, {1, 1}, Expr::real(1.0F / std::sqrt(static_cast<float>(columns))));
  k.store_global(out, k.cast(k.mul(values, scale), element), {row, 0});
  return k.build();
}

}  // namespace anybit::kernel
