// sync, print, assert.
#include "anybit/vm/backend/reference/internal/execution.h"

namespace anybit::vm::reference {
namespace {

/// The value of an element as text; codes of formats that have no values of their own.
std::string value_text(const ElementFormat& element, Code code) {
  if (element.kind == numeric::ElementKind::kCodebook ||
      element.kind == numeric::ElementKind::kComplex) {
    return fmt::format("code {}", code);
  }
  if (is_integer_element(element)) return fmt::format("{}", integer_value(element, code));
  return fmt::format("{}", element_value(element, code));
}

std::string scalar_text(const ScalarValue& value) {
  switch (value.type) {
    case ScalarType::kBool: return value.integer != 0 ? "true" : "false";
    case ScalarType::kF32: return fmt::format("{}", value.real);
    case ScalarType::kPointer: return "ptr";
    default: return fmt::format("{}", value.integer);
  }
}

}  // namespace

Status execute_sync(Execution& execution, const InstructionView&) {
  execution.arena().barrier(execution.first_warp(), execution.num_warps());
  return {};
}

/// Lines: "text scalar", then "%x[2, 5] = 0.5" for each element in row-major order.
Status execute_print(Execution& execution, const InstructionView& view) {
  const auto& print = execution.launch().options.print;
  std::string line;
  if (view.has_attribute(0)) line = view.attribute<std::string>(0);
  if (view.has_attribute(1)) {
    ANYBIT_ASSIGN(const ScalarValue value, execution.scalar(view.attribute<Expr>(1)));
    line += (line.empty() ? "" : " ") + scalar_text(value);
  }
  if ((view.has_attribute(0) || view.has_attribute(1)) && print) print(line);
  if (!view.has_operand(0)) return {};
  const ValueId tile = view.instruction.operands[0];
  const TensorType& type = view.operand(0);
  const LayoutTables& tables = execution.registers(tile).tables();
  return for_each_element(tables, [&](int64_t t, int64_t e, int64_t linear) -> Status {
    ANYBIT_ASSIGN(const Code code, execution.read(tile, t, e));
    if (print) {
      print(fmt::format("%{}{} = {}", execution.name(tile),
                        shape_text(coordinates_of(type.shape, linear)),
                        value_text(type.element, code)));
    }
    return {};
  });
}

Status execute_assert(Execution& execution, const InstructionView& view) {
  const Error failed{ErrorCode::kInvalidArgument,
                     fmt::format("failed: {}", view.attribute<std::string>(1))};
  if (view.has_attribute(0)) {
    ANYBIT_ASSIGN(const ScalarValue condition, execution.scalar(view.attribute<Expr>(0)));
    if (condition.integer == 0) return tl::make_unexpected(failed);
    return {};
  }
  const ValueId tile = view.instruction.operands[0];
  const LayoutTables& tables = execution.registers(tile).tables();
  return for_each_place(tables, [&](int64_t t, int64_t e, int64_t linear) -> Status {
    ANYBIT_ASSIGN(const Code code, execution.read(tile, t, e));
    if (code == 0) return execution.fault(t, tile, linear, failed);
    return {};
  });
}

}  // namespace anybit::vm::reference
