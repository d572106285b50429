#include "anybit/vm/ir/wgmma.h"

#include <array>
#include <bit>
#include <numeric>

#include "anybit/layout/mma_layouts.h"
#include "anybit/layout/register_layout_ops.h"
#include "anybit/layout/register_layout_text.h"

namespace anybit::vm {

using layout::RegisterLayout;

std::span<const WgmmaAtom> wgmma_atoms() {
  using namespace numeric;
  static const std::array<WgmmaAtom, 4> kAtoms = {{{kF16, 16, "wgmma_f16", true},
                                                   {kBF16, 16, "wgmma_bf16", true},
                                                   {kE4M3, 32, "wgmma_e4m3", false},
                                                   {kE5M2, 32, "wgmma_e5m2", false}}};
  return kAtoms;
}

const WgmmaAtom* find_wgmma_atom(const numeric::ElementFormat& element) {
  for (const WgmmaAtom& atom : wgmma_atoms()) {
    if (atom.element == element) return &atom;
  }
  return nullptr;
}

Status check_whole_warpgroups(const InstructionView& view) {
  if (view.num_threads % kWarpgroupSize == 0 && view.first_thread % kWarpgroupSize == 0) return {};
  return fail(ErrorCode::kInvalidArgument,
              "executed by threads {} to {}, expected whole warpgroups of 128", view.first_thread,
              view.first_thread + view.num_threads - 1);
}

namespace {

constexpr int64_t kWidestStep = 256;  // n.

/// What warpgroups hold of a in registers: the rows of their tiles, over all of k.
Result<RegisterLayout> register_operand(const RegisterLayout& tiles, const WgmmaAtom& atom,
                                        int64_t k) {
  const int columns[] = {1};
  ANYBIT_ASSIGN(const RegisterLayout rows, layout::reduce(tiles, columns, true));
  ANYBIT_ASSIGN(const RegisterLayout steps, layout::compose(rows, layout::local({1, k / atom.k})));
  ANYBIT_ASSIGN(const RegisterLayout step, layout::wgmma_operand_a(atom.element.bits));
  return layout::compose(steps, step);
}

}  // namespace

Result<WgmmaPlan> plan_wgmma(const InstructionView& view, const RegisterLayout& sum) {
  const int64_t columns = view.operand(kWgmmaSum).shape[1];
  WgmmaPlan plan;
  plan.atom = find_wgmma_atom(view.operand(kWgmmaB).element);
  for (int64_t n = std::min(columns, kWidestStep); n >= 8; n -= 8) {
    if (columns % n != 0) continue;
    ANYBIT_ASSIGN(const RegisterLayout step, layout::wgmma_accumulator(n));
    auto tiles = layout::divide(sum, step);
    if (!tiles) continue;
    plan.n = n;
    plan.tiles = std::move(*tiles);
    ANYBIT_ASSIGN(plan.a, register_operand(plan.tiles, *plan.atom, view.operand(kWgmmaB).shape[0]));
    return plan;
  }
  return fail(ErrorCode::kInvalidArgument,
              "the sum is laid out as {}, which is no product of accumulators [64, n] of wgmma, as "
              "spatial(4, 1).local(1, n / 8).local(2, 1).spatial(8, 4).local(1, 2)",
              layout::to_string(sum));
}

Result<RegisterLayout> default_wgmma_sum(const InstructionView& view) {
  const TensorType& sum = view.operand(kWgmmaSum);
  const int64_t groups = view.num_threads / kWarpgroupSize;
  const int64_t rows = sum.shape[0] / kWgmmaRows, columns = sum.shape[1];
  const int64_t down = std::gcd(groups, rows), across = groups / down;
  for (int64_t n = std::min(columns / across, kWidestStep) / 8 * 8; n >= 8; n -= 8) {
    if (columns % (across * n) != 0) continue;
    ANYBIT_ASSIGN(const RegisterLayout step, layout::wgmma_accumulator(n));
    return layout::spatial({down, across}) * layout::local({rows / down, columns / (across * n)}) *
           step;
  }
  return fail(ErrorCode::kInvalidArgument,
              "{} warpgroups cannot share a sum {} by tiles of [64, 8]", groups,
              shape_text(sum.shape));
}

Result<WgmmaOperand> wgmma_operand(const WgmmaAtom& atom, int64_t row_stride, int64_t k_stride,
                                   int64_t rows, int64_t k) {
  const int64_t bytes = atom.element.bits / 8;
  WgmmaOperand operand;
  operand.is_mn_major = k_stride != 1;
  if (operand.is_mn_major && row_stride != 1) {
    return fail(ErrorCode::kUnsupported, "strides {} and {}: neither dimension is contiguous",
                row_stride, k_stride);
  }
  if (operand.is_mn_major && !atom.may_be_mn_major) {
    return fail(ErrorCode::kUnsupported, "k must be contiguous in operands of 8 bits");
  }
  operand.line_bytes = (operand.is_mn_major ? k_stride : row_stride) * bytes;
  if (operand.line_bytes != 32 && operand.line_bytes != 64 && operand.line_bytes != 128) {
    return fail(ErrorCode::kUnsupported,
                "lines of {} bytes along {}; wgmma reads lines of 32, 64 or 128",
                operand.line_bytes, operand.is_mn_major ? "m or n" : "k");
  }
  const int64_t needed = (operand.is_mn_major ? rows : k) * bytes;
  if (needed > operand.line_bytes) {
    return fail(ErrorCode::kUnsupported, "a step takes {} bytes of a line of {}", needed,
                operand.line_bytes);
  }
  // 16-byte pieces are xored with the number of their line, in bits 7 and up of the byte address.
  operand.swizzle.base = std::countr_zero(static_cast<uint64_t>(16 / bytes));
  operand.swizzle.bits = std::countr_zero(static_cast<uint64_t>(operand.line_bytes / 16));
  operand.swizzle.shift = 3;
  return operand;
}

}  // namespace anybit::vm
