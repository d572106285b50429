// wgmma, wgmma_commit, wgmma_wait: descriptors of operands in shared memory, the steps of each
// warpgroup, and what keeps the compiler from touching registers that are under way.
#include <numeric>

#include "anybit/vm/backend/cuda/emit/internal/emit_table.h"
#include "anybit/vm/ir/wgmma.h"

namespace anybit::vm::cuda {
namespace {

constexpr int64_t kStepBytes = 32;  // Of k.

Status check_architecture(const Emitter& out) {
  if (out.architecture() == 90) return {};
  return fail(ErrorCode::kUnsupported, "wgmma needs sm_90a, found sm_{}; use dot",
              out.architecture());
}

/// 0: none, as the descriptor encodes the swizzles of lines of 128, 64, 32 bytes.
int descriptor_swizzle(int64_t line_bytes) {
  return line_bytes == 128 ? 1 : line_bytes == 64 ? 2 : 3;
}

/// Whether parts of the allocation at the view's offsets begin where the swizzle repeats, or at a
/// step of k within a line.
Status check_offsets(const Emitter& out, const SharedView& shared, const WgmmaOperand& operand,
                     int64_t bytes) {
  for (const auto& [expr, weight] : shared.offsets) {
    const int64_t divisor = out.scalars().divisor(expr) * weight * bytes;
    const bool is_step = !operand.is_mn_major && weight == 1 && divisor % kStepBytes == 0;
    if (divisor % operand.atom_bytes() == 0 || is_step) continue;
    return fail(ErrorCode::kUnsupported,
                "a slice at an offset that is not known to be a multiple of {} bytes",
                operand.atom_bytes());
  }
  return {};
}

/// An operand in shared memory: its descriptor for the thread's warpgroup at tile 0, step 0.
struct SharedOperand {
  std::string descriptor;   // A variable.
  int64_t tile_stride = 0;  // Bytes from one tile of rows (columns of b) to the next.
  int64_t step_stride = 0;  // Bytes from one step of k to the next.
  int is_mn_major = 0;
};

Result<SharedOperand> shared_operand(Emitter& out, const InstructionView& view,
                                     const WgmmaPlan& plan, size_t i) {
  const SharedView& shared = out.shared_plan().view(view.instruction.operands[i]);
  ANYBIT_ASSIGN(const WgmmaOperand operand, shared_wgmma_operand(view, plan, i, shared));
  const bool is_a = i == kWgmmaA;
  const int64_t bytes = plan.atom->element.bits / 8;
  ANYBIT_TRY(check_offsets(out, shared, operand, bytes));
  const int64_t rows = is_a ? kWgmmaRows : plan.n;
  SharedOperand result;
  result.tile_stride = rows * shared.strides[is_a ? 0 : 1] * bytes;
  result.step_stride = plan.atom->k * shared.strides[is_a ? 1 : 0] * bytes;
  result.is_mn_major = operand.is_mn_major ? 1 : 0;
  // Of which tile of rows (columns) the warpgroup begins.
  const auto warpgroups = plan.tiles.thread_digits();
  std::vector<layout::Digit> digits(warpgroups.begin(), warpgroups.end());
  std::vector<int64_t> weights;
  for (const layout::Digit& digit : digits) {
    weights.push_back(digit.dim == (is_a ? 0 : 1) ? digit.stride * result.tile_stride : 0);
  }
  digits.push_back({kWarpgroupSize, layout::Digit::kReplicated, 0});
  weights.push_back(0);
  std::string address = fmt::format("smem + {}", shared.byte_offset);
  if (const std::string sum = out.thread_sum(digits, weights); sum != "0") {
    address += fmt::format(" + (ab::u32){}", sum);
  }
  for (const auto& [expr, weight] : shared.offsets) {
    address += fmt::format(" + (ab::u32)({}) * {}", out.scalar(expr), weight * bytes);
  }
  result.descriptor = out.fresh("operand");
  out.line("const ab::u64 {} = ab::descriptor_bits({}, 16, {}, {});", result.descriptor, address,
           operand.atom_bytes(), descriptor_swizzle(operand.line_bytes));
  return result;
}

std::string moved(const SharedOperand& operand, int64_t tile, int64_t step) {
  const int64_t bytes = tile * operand.tile_stride + step * operand.step_stride;
  if (bytes == 0) return operand.descriptor;
  return fmt::format("{} + {}", operand.descriptor, bytes / 16);
}

}  // namespace

Status emit_wgmma(Emitter& out, const InstructionView& view) {
  ANYBIT_TRY(check_architecture(out));
  const layout::RegisterLayout& sum = *view.operand(kWgmmaSum).register_layout;
  ANYBIT_ASSIGN(const WgmmaPlan plan, plan_wgmma(view, sum));
  const bool registers = view.operand(kWgmmaA).space == MemorySpace::kRegister;
  SharedOperand a;
  if (!registers) {
    ANYBIT_ASSIGN(a, shared_operand(out, view, plan, kWgmmaA));
  }
  ANYBIT_ASSIGN(const SharedOperand b, shared_operand(out, view, plan, kWgmmaB));
  const WgmmaAtom& atom = *plan.atom;
  std::string majors;
  if (atom.may_be_mn_major) {
    majors = registers ? fmt::format(", {}", b.is_mn_major)
                       : fmt::format(", {}, {}", a.is_mn_major, b.is_mn_major);
  }
  // Registers may have been written since the last one.
  out.line("ab::wgmma_fence();");
  const int64_t steps = view.operand(kWgmmaB).shape[0] / atom.k;
  for (int64_t step = 0; step < steps; ++step) {
    for (int64_t p = 0; p < plan.tiles.local_size(); ++p) {
      const layout::Dims tile = plan.tiles.coordinates(0, p);
      const int64_t word = sum.local_index({tile[0] * kWgmmaRows, tile[1] * plan.n});
      std::string left;
      if (registers) {
        const auto& held = *view.operand(kWgmmaA).register_layout;
        left = fmt::format(
            "{} + {}", out.tile(view.instruction.operands[kWgmmaA]),
            held.local_index({tile[0] * kWgmmaRows, step * atom.k}) * atom.element.bits / 32);
      } else {
        left = moved(a, tile[0], step);
      }
      out.line("ab::{}{}<{}{}>({} + {}, {}, {}, true);", atom.function, registers ? "_rs" : "",
               plan.n, majors, out.tile(view.instruction.operands[kWgmmaSum]), word, left,
               moved(b, tile[1], step));
    }
  }
  return {};
}

Status emit_wgmma_commit(Emitter& out, const InstructionView&) {
  ANYBIT_TRY(check_architecture(out));
  out.line("ab::wgmma_commit();");
  return {};
}

/// To the compiler a sum is done when its wgmma was issued: pinning it here keeps its uses behind
/// the wait.
Status emit_wgmma_wait(Emitter& out, const InstructionView& view) {
  ANYBIT_TRY(check_architecture(out));
  out.line("ab::wgmma_wait<{}>();", view.integer(0));
  for (const ValueId id : out.tiles_in_scope()) {
    if (!out.is_wgmma_register(id)) continue;
    out.line("#pragma unroll");
    out.line("for (int i = 0; i < {}; ++i) ab::pin({}[i]);",
             out.num_words(out.program().type_of(id)), out.tile(id));
  }
  return {};
}

}  // namespace anybit::vm::cuda
