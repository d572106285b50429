#include "anybit/vm/ir/wgmma.h"

#include "anybit/vm/instruction/internal/rules.h"

namespace anybit::vm {
namespace {

bool has_register_a(const InstructionView& view) {
  return view.operand(kWgmmaA).space == MemorySpace::kRegister;
}

Status check_shapes(const InstructionView& view) {
  const TensorType &sum = view.operand(kWgmmaSum), &a = view.operand(kWgmmaA),
                   &b = view.operand(kWgmmaB);
  if (a.rank() == 2 && b.rank() == 2 && sum.rank() == 2 && a.shape[1] == b.shape[0] &&
      sum.shape[0] == a.shape[0] && sum.shape[1] == b.shape[1]) {
    return {};
  }
  return fail(ErrorCode::kInvalidArgument,
              "wgmma: sum {}, a {}, b {}, expected [m, n], [m, k], [k, n]", shape_text(sum.shape),
              shape_text(a.shape), shape_text(b.shape));
}

Result<std::optional<TensorType>> infer_type(const InstructionView& view) {
  const TensorType &sum = view.operand(kWgmmaSum), &b = view.operand(kWgmmaB);
  ANYBIT_TRY(check_shapes(view));
  ANYBIT_TRY(rules::check_same_element(view.operand(kWgmmaA), b, "wgmma"));
  const WgmmaAtom* atom = find_wgmma_atom(b.element);
  if (atom == nullptr || !(sum.element == numeric::kF32)) {
    return fail(ErrorCode::kInvalidArgument,
                "wgmma of {} into {}: expected f16, bf16, e4m3 or e5m2 into f32",
                tile_element_name(b.element), tile_element_name(sum.element));
  }
  if (sum.shape[0] % kWgmmaRows != 0 || sum.shape[1] % 8 != 0 || b.shape[0] % atom->k != 0) {
    return fail(ErrorCode::kInvalidArgument,
                "wgmma of m={} n={} k={}: expected multiples of 64, 8, {}", sum.shape[0],
                sum.shape[1], b.shape[0], atom->k);
  }
  ANYBIT_TRY(check_whole_warpgroups(view));
  ANYBIT_TRY(default_wgmma_sum(view));
  if (sum.register_layout) ANYBIT_TRY(plan_wgmma(view, *sum.register_layout));
  return rules::no_result();
}

std::vector<LayoutProposal> propose_layouts(const InstructionView& view, RulePriority priority) {
  const Instruction& instruction = view.instruction;
  const auto& sum = view.operand(kWgmmaSum).register_layout;
  if (priority == RulePriority::kFixed && !sum) {
    if (auto chosen = default_wgmma_sum(view)) {
      return {{instruction.operands[kWgmmaSum], *chosen, "the sum of wgmma over warpgroups"}};
    }
  }
  if (priority == RulePriority::kBackward && sum && has_register_a(view) &&
      !view.operand(kWgmmaA).register_layout) {
    if (auto plan = plan_wgmma(view, *sum)) {
      return {{instruction.operands[kWgmmaA], plan->a, "operand a of wgmma"}};
    }
  }
  return {};
}

std::optional<layout::RegisterLayout> required_layout(const InstructionView& view, size_t operand) {
  if (operand != kWgmmaA) return std::nullopt;
  const auto plan = plan_wgmma(view, *view.operand(kWgmmaSum).register_layout);
  return plan ? std::optional(plan->a) : std::nullopt;
}

Status check_layouts(const InstructionView& view) {
  ANYBIT_TRY(plan_wgmma(view, *view.operand(kWgmmaSum).register_layout));
  return {};
}

}  // namespace

const InstructionInfo& wgmma_instruction() {
  static const InstructionInfo kInfo = {
      .name = "wgmma",
      .summary = "Starts sum += a . b on the tensor cores of whole warpgroups (sm_90a).",
      .details =
          "Element (i, j) of the sum (f32) is increased by a(i, p) * b(p, j) for p = 0, 1, ... as "
          "in `dot`, and tensor cores deviate from that order as there. The elements of a and b "
          "are "
          "f16, bf16, e4m3 or e5m2; m is a multiple of 64, n of 8, k of 16 (8 bits: 32). The "
          "product "
          "is under way until a `wgmma_wait` that covers the group that the next `wgmma_commit` "
          "closes: until then the sum, and a in registers, may be used by other wgmma alone, and a "
          "and b in shared memory may not be overwritten. What ordinary stores and `copy_async` "
          "wrote to shared memory is seen after `fence_async` in the threads that wrote, and a "
          "`sync`. In shared memory one dimension of an operand is contiguous, in lines of 32, 64 "
          "or 128 bytes that follow each other without gaps (k; with 16 bits also m or n, which a "
          "line then holds whole); unless annotated, it gets the swizzle of such lines.",
      .example = "wgmma(%sum, %a, %b)",
      .operands = {{"sum", MemorySpace::kRegister},
                   {"a", MemorySpace::kRegister, false, false, true},
                   {"b", MemorySpace::kShared}},
      .effects = kWritesRegister | kReadsShared | kOther,
      .infer_type = infer_type,
      .propose_layouts = propose_layouts,
      .required_layout = required_layout,
      .check_layouts = check_layouts};
  return kInfo;
}

}  // namespace anybit::vm
