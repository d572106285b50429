#include "anybit/vm/ir/dot.h"
#include "anybit/vm/instruction/internal/rules.h"

namespace anybit::vm {
namespace {

enum : size_t { kA, kB, kC };

constexpr std::string_view kPrecisionNames[] = {"exact", "tf32"};
constexpr std::string_view kUnitNames[] = {"any", "wgmma"};

bool is_allowed(const numeric::ElementFormat& a, const numeric::ElementFormat& c) {
  if (c == numeric::kF16) return a == numeric::kF16;
  if (c == kInt32) return a == numeric::int_format(8) || a == numeric::uint_format(8);
  return c == numeric::kF32 && (a == numeric::kF16 || a == numeric::kBF16 || a == numeric::kF32 ||
                                a == numeric::kE4M3 || a == numeric::kE5M2);
}

Result<std::optional<TensorType>> infer_type(const InstructionView& view) {
  const TensorType &a = view.operand(kA), &b = view.operand(kB), &c = view.operand(kC);
  if (a.rank() != 2 || b.rank() != 2 || c.rank() != 2 || a.shape[1] != b.shape[0] ||
      c.shape[0] != a.shape[0] || c.shape[1] != b.shape[1]) {
    return fail(ErrorCode::kInvalidArgument,
                "dot: a {}, b {}, c {}, expected [m, k], [k, n], [m, n]", shape_text(a.shape),
                shape_text(b.shape), shape_text(c.shape));
  }
  ANYBIT_TRY(rules::check_same_element(a, b, "dot"));
  if (!is_allowed(a.element, c.element)) {
    return fail(ErrorCode::kInvalidArgument,
                "dot of {} into {}: expected f16, bf16, f32, e4m3 or e5m2 into f32, f16 into f16, "
                "int8 or uint8 into int32",
                tile_element_name(a.element), tile_element_name(c.element));
  }
  if (view.integer(0) == 1 && a.element != numeric::kF32) {
    return fail(ErrorCode::kInvalidArgument, "dot: precision=tf32 is of f32 operands, found {}",
                tile_element_name(a.element));
  }
  return register_type(c.element, c.shape);
}

std::vector<LayoutProposal> propose_layouts(const InstructionView& view, RulePriority priority) {
  const Instruction& instruction = view.instruction;
  const auto& c = view.operand(kC).register_layout;
  const auto& d = view.result().register_layout;
  std::vector<LayoutProposal> proposals;
  if (priority == RulePriority::kForward && !d && c) {
    return {{instruction.result, *c, "the result of dot is laid out as its accumulator"}};
  }
  if (priority == RulePriority::kBackward && d && !c) {
    return {{instruction.operands[kC], *d, "the accumulator of dot is laid out as its result"}};
  }
  if (priority == RulePriority::kBackward && d) {
    const Result<DotPlan> plan = plan_dot(view, *d);
    if (!plan) return {};
    if (!view.operand(kA).register_layout) {
      proposals.push_back({instruction.operands[kA], plan->layouts.a, "operand a of dot"});
    }
    if (!view.operand(kB).register_layout) {
      proposals.push_back({instruction.operands[kB], plan->layouts.b, "operand b of dot"});
    }
    return proposals;
  }
  // The tensor cores leave the least choice: they come first where nothing else is said.
  if (priority == RulePriority::kFixed && !c && !d) {
    if (const auto chosen = default_accumulator(view)) {
      return {{instruction.result, *chosen, "accumulator of dot over the tensor cores"}};
    }
  }
  if (priority == RulePriority::kDefault && !c && !d) {
    return {{instruction.result, rules::default_layout(view.result(), view.num_threads),
             "accumulator of dot without tensor cores"}};
  }
  return {};
}

std::optional<layout::RegisterLayout> required_layout(const InstructionView& view, size_t operand) {
  const auto& d = view.result().register_layout;
  if (operand == kC) return d;
  const Result<DotPlan> plan = plan_dot(view, *d);
  if (!plan) return std::nullopt;
  return operand == kA ? plan->layouts.a : plan->layouts.b;
}

Status check_layouts(const InstructionView& view) {
  ANYBIT_TRY(plan_dot(view, *view.result().register_layout));
  return {};
}

}  // namespace

const InstructionInfo& dot_instruction() {
  static const InstructionInfo kInfo = {
      .name = "dot",
      .summary = "a . b + c: a matrix product, on the tensor cores where they know the elements.",
      .details =
          "Element (i, j) is c(i, j) to which a(i, p) * b(p, j) is added for p = 0, 1, ... with "
          "one "
          "rounding each (fma in f32; exact in int32, which wraps). An f16 accumulator is rounded "
          "to f16 after every 16 of p and after the last, between which the sum is kept in f32. "
          "Tensor cores add products of a "
          "step of k in an order and with roundings of their own: their result differs from this "
          "definition by at most a few units in the last place of the largest term. Layouts that "
          "are no tiles of a tensor-core step, and f32 operands unless `precision=tf32`, are "
          "multiplied by fma in the threads: exactly as defined, and much slower. With "
          "`unit=wgmma` "
          "operands that a load_shared gives to it alone stay where they are, and a pass makes it "
          "a "
          "`wgmma`, or says why it cannot.",
      .example = "%d = dot(%a, %b, %acc)",
      .operands = {{"a", MemorySpace::kRegister},
                   {"b", MemorySpace::kRegister},
                   {"c", MemorySpace::kRegister}},
      .attributes = {{"precision", AttributeKind::kName, true, kPrecisionNames},
                     {"unit", AttributeKind::kName, true, kUnitNames}},
      .result = ResultKind::kAlways,
      .infer_type = infer_type,
      .propose_layouts = propose_layouts,
      .required_layout = required_layout,
      .check_layouts = check_layouts};
  return kInfo;
}

}  // namespace anybit::vm
