#include "anybit/kernel/quantize/group_quantize_program.h"

#include <cmath>

#include "anybit/layout/register_layout_ops.h"
#include "anybit/vm/ir/builder.h"

namespace anybit::kernel {

using layout::local;
using layout::spatial;
using vm::BinaryOp;
using vm::Expr;
using vm::KernelBuilder;
using vm::ReduceOp;
using vm::ScalarType;
using vm::Tile;
using vm::UnaryOp;

namespace {

/// The scale of each group as an f32 tile of values that the scale format has exactly.
Tile group_scale(KernelBuilder& k, Tile amax, const GroupFormat& format) {
  const auto number = [&](float value) { return k.full(numeric::kF32, {1, 1}, Expr::real(value)); };
  const auto largest = static_cast<float>(numeric::max_finite(format.element));
  if (format.rule == GroupScaleRule::kRatio) return k.mul(amax, number(1.0F / largest));
  // amax without its mantissa is 2^floor(log2(amax)).
  const std::vector<int64_t> shape = k.shape_of(amax);
  const Tile exponent = k.full(vm::kUint32, {1, 1}, 0x7f800000);
  const Tile floor_power = k.view(
      k.binary(BinaryOp::kAnd, k.view(amax, vm::kUint32, shape), exponent), numeric::kF32, shape);
  return k.mul(floor_power, number(std::exp2(-std::floor(std::log2(largest)))));
}

/// values / divisor: the product with the reciprocal r, corrected by what it leaves over. Where
/// `divisor` has at most 11 significant bits, as codes of scales do, this is the quotient rounded
/// to nearest: its error before the last rounding is below 2^-46 of it, and no quotient of 24 bits
/// by 11 is nearer than 2^-36 to a number between two floats without being it. (Source: Markstein
/// 1990.) The signs, with r > 0, are those with which zeros keep theirs.
Tile divide_by_scale(KernelBuilder& k, Tile values, Tile divisor) {
  const Tile r = k.unary(UnaryOp::kReciprocal, divisor);
  const Tile quotient = k.mul(values, r);
  const Tile excess = k.fma(quotient, divisor, k.unary(UnaryOp::kNegate, values));
  return k.fma(excess, k.unary(UnaryOp::kNegate, r), quotient);
}

}  // namespace

Result<vm::Program> group_quantize_program(const GroupFormat& format) {
  const int64_t group = format.group_size, groups = 64 * 32 / group, kThreads = 128;
  const int64_t per_thread = groups * group / kThreads;  // 16 elements, at most one group.
  KernelBuilder k("group_quantize", kThreads / vm::kWarpSize);
  const Expr x = k.parameter("x", ScalarType::kPointer);
  const Expr codes = k.parameter("codes", ScalarType::kPointer);
  const Expr scales = k.parameter("scales", ScalarType::kPointer);
  const Expr n = k.parameter("n", ScalarType::kI32);
  const Expr inv_tensor_scale = k.parameter("inv_tensor_scale", ScalarType::kF32);
  k.assume(equal(n % (64 * group), 0));
  const Expr num_groups = n / group;
  k.grid({ceil_div(num_groups, groups)});
  const Tile in = k.global_view(x, numeric::kF16, {num_groups, Expr(group)});
  const Tile out = k.global_view(codes, format.element, {num_groups, Expr(group)});
  const Tile out_scales = k.global_view(scales, format.scale, {num_groups, Expr(1)});
  const Expr first = k.block(0) * groups;
  const layout::RegisterLayout held =
      spatial({groups, group / per_thread}) * local({1, per_thread});
  const Tile raw = k.cast(k.load_global(in, {first, 0}, {groups, group}, held), numeric::kF32);
  const Tile values = k.mul(raw, k.full(numeric::kF32, {1, 1}, inv_tensor_scale));
  const Tile amax = k.reduce(k.unary(UnaryOp::kAbs, values), ReduceOp::kMax, 1);
  const Tile scale_codes = k.cast(group_scale(k, amax, format), format.scale, true);
  const Tile scale = k.cast(scale_codes, numeric::kF32);
  const Tile is_zero =
      k.compare(vm::CompareOp::kEqual, scale, k.full(numeric::kF32, {1, 1}, Expr::real(0)));
  const Tile divisor = k.select(is_zero, k.full(numeric::kF32, {1, 1}, Expr::real(1)), scale);
  // The reciprocal of a power of two is exact.
  const Tile scaled = format.rule == GroupScaleRule::kPowerOfTwo
                          ? k.mul(values, k.unary(UnaryOp::kReciprocal, divisor))
                          : divide_by_scale(k, values, divisor);
  k.store_global(out, k.cast(scaled, format.element), {first, 0});
  k.store_global(out_scales, scale_codes, {first, 0});
  return k.build();
}

}  // namespace anybit::kernel
