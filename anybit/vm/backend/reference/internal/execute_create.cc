// full, iota, random: instructions that make a register tile out of scalars.
#include "anybit/base/philox.h"
#include "anybit/vm/backend/reference/internal/execution.h"

namespace anybit::vm::reference {

Status execute_full(Execution& execution, const InstructionView& view) {
  ANYBIT_ASSIGN(const ScalarValue value, execution.scalar(view.attribute<Expr>(2)));
  RegisterTile& result = execution.define_registers(view.instruction.result);
  const ElementFormat& element = result.element();
  const Code code = value.type == ScalarType::kF32 ? float_code(element, value.real)
                                                   : integer_code(element, value.integer);
  return for_each_place(result.tables(), [&](int64_t t, int64_t e, int64_t) -> Status {
    result.set(t, e, code);
    return {};
  });
}

Status execute_iota(Execution& execution, const InstructionView& view) {
  RegisterTile& result = execution.define_registers(view.instruction.result);
  const std::vector<int64_t>& shape = view.result().shape;
  const auto dim = static_cast<size_t>(view.integer(1));
  return for_each_place(result.tables(), [&](int64_t t, int64_t e, int64_t linear) -> Status {
    result.set(t, e, static_cast<Code>(coordinates_of(shape, linear)[dim]));
    return {};
  });
}

Status execute_random(Execution& execution, const InstructionView& view) {
  ANYBIT_ASSIGN(const int64_t seed, execution.integer(view.attribute<Expr>(1)));
  ANYBIT_ASSIGN(const int64_t offset, execution.integer(view.attribute<Expr>(2)));
  const Philox philox(static_cast<uint64_t>(seed));
  RegisterTile& result = execution.define_registers(view.instruction.result);
  return for_each_place(result.tables(), [&](int64_t t, int64_t e, int64_t linear) -> Status {
    const uint64_t i = static_cast<uint64_t>(offset) + static_cast<uint64_t>(linear);
    result.set(t, e, philox.words(i / 4)[i % 4]);
    return {};
  });
}

}  // namespace anybit::vm::reference
