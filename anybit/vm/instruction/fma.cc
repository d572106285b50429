#include "anybit/vm/instruction/internal/rules.h"

namespace anybit::vm {
namespace {

Result<std::optional<TensorType>> infer_type(const InstructionView& view) {
  const TensorType& a = view.operand(0);
  if (!is_compute_float(a.element)) {
    return fail(ErrorCode::kInvalidArgument, "fma takes f32, f16 or bf16, found {}",
                tile_element_name(a.element));
  }
  std::vector<int64_t> shape = a.shape;
  for (size_t i : {1, 2}) {
    ANYBIT_TRY(rules::check_same_element(a, view.operand(i), "fma"));
    ANYBIT_ASSIGN(shape, rules::broadcast_shape(shape, view.operand(i).shape));
  }
  return register_type(a.element, std::move(shape));
}

}  // namespace

const InstructionInfo& fma_instruction() {
  static const InstructionInfo kInfo = {
      .name = "fma",
      .summary = "a * b + c, element by element, rounded once.",
      .details = "Shapes broadcast as in `add`. Nothing else is ever contracted into an fma.",
      .example = "%d = fma(%a, %b, %c)",
      .operands = {{"a", MemorySpace::kRegister},
                   {"b", MemorySpace::kRegister},
                   {"c", MemorySpace::kRegister}},
      .result = ResultKind::kAlways,
      .infer_type = infer_type,
      .propose_layouts = rules::propose_elementwise,
      .required_layout = rules::require_elementwise};
  return kInfo;
}

}  // namespace anybit::vm
