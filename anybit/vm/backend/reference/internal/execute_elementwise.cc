// unary, binary, compare, fma, select, cast: each thread computes its own elements of the result
// from its own elements of the operands.
#include <array>

#include "anybit/vm/backend/reference/internal/execution.h"

namespace anybit::vm::reference {
namespace {

/// Sets each element of the result to compute(codes of the operands' elements).
template <size_t kOperands, class Compute>
Status map_elements(Execution& execution, const InstructionView& view, Compute&& compute) {
  const Instruction& instruction = view.instruction;
  std::array<std::vector<int64_t>, kOperands> maps;
  for (size_t i = 0; i < kOperands; ++i) {
    maps[i] = broadcast_map(view.operand(i).shape, view.result().shape);
  }
  RegisterTile result(view.result().element, execution.tables(instruction.result));
  ANYBIT_TRY(for_each_place(result.tables(), [&](int64_t t, int64_t e, int64_t linear) -> Status {
    std::array<Code, kOperands> codes{};
    for (size_t i = 0; i < kOperands; ++i) {
      ANYBIT_ASSIGN(codes[i], execution.read_held(instruction.operands[i], t, maps[i][linear]));
    }
    const Result<Code> code = compute(codes);
    if (!code) return execution.fault(t, instruction.result, linear, code.error());
    result.set(t, e, *code);
    return {};
  }));
  execution.define(instruction.result, std::move(result));
  return {};
}

}  // namespace

Status execute_unary(Execution& execution, const InstructionView& view) {
  const auto op = static_cast<UnaryOp>(view.integer(0));
  const ElementFormat element = view.operand(0).element;
  return map_elements<1>(execution, view, [&](const auto& codes) -> Result<Code> {
    return apply_unary(op, element, codes[0]);
  });
}

Status execute_binary(Execution& execution, const InstructionView& view) {
  const auto op = static_cast<BinaryOp>(view.integer(0));
  const ElementFormat element = view.operand(0).element;
  return map_elements<2>(execution, view, [&](const auto& codes) {
    return apply_binary(op, element, codes[0], codes[1]);
  });
}

Status execute_compare(Execution& execution, const InstructionView& view) {
  const auto op = static_cast<CompareOp>(view.integer(0));
  const ElementFormat element = view.operand(0).element;
  return map_elements<2>(execution, view, [&](const auto& codes) -> Result<Code> {
    return apply_compare(op, element, codes[0], codes[1]) ? 1 : 0;
  });
}

Status execute_fma(Execution& execution, const InstructionView& view) {
  const ElementFormat element = view.operand(0).element;
  return map_elements<3>(execution, view, [&](const auto& codes) -> Result<Code> {
    return apply_fma(element, codes[0], codes[1], codes[2]);
  });
}

Status execute_select(Execution& execution, const InstructionView& view) {
  return map_elements<3>(execution, view, [&](const auto& codes) -> Result<Code> {
    return codes[0] != 0 ? codes[1] : codes[2];
  });
}

Status execute_cast(Execution& execution, const InstructionView& view) {
  const ElementFormat from = view.operand(0).element, to = view.result().element;
  const numeric::Rounding rounding = cast_rounding(to, view.integer(1) == 1);
  return map_elements<1>(execution, view, [&](const auto& codes) -> Result<Code> {
    return encode_element(to, element_value(from, codes[0]), rounding);
  });
}

}  // namespace anybit::vm::reference
