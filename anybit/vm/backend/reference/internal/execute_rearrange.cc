// view, convert_layout, reshape, permute, slice, assign: the same bits or elements elsewhere.
#include "anybit/vm/backend/reference/internal/execution.h"

namespace anybit::vm::reference {
namespace {

/// Sets each element `linear` of the result to element source_of(linear) of operand 0, as the same
/// thread holds it.
template <class SourceOf>
Status keep_in_threads(Execution& execution, const InstructionView& view, SourceOf&& source_of) {
  RegisterTile result(view.result().element, execution.tables(view.instruction.result));
  ANYBIT_TRY(for_each_place(result.tables(), [&](int64_t t, int64_t e, int64_t linear) -> Status {
    ANYBIT_ASSIGN(const Code code,
                  execution.read_held(view.instruction.operands[0], t, source_of(linear)));
    result.set(t, e, code);
    return {};
  }));
  execution.define(view.instruction.result, std::move(result));
  return {};
}

}  // namespace

Status execute_view(Execution& execution, const InstructionView& view) {
  const RegisterTile& source = execution.registers(view.instruction.operands[0]);
  execution.define(view.instruction.result,
                   source.view(view.result().element, execution.tables(view.instruction.result)));
  return {};
}

/// A thread that holds the element already keeps its copy; others get that of the least holder.
Status execute_convert_layout(Execution& execution, const InstructionView& view) {
  const ValueId source = view.instruction.operands[0];
  const LayoutTables& from = execution.registers(source).tables();
  RegisterTile result(view.result().element, execution.tables(view.instruction.result));
  ANYBIT_TRY(for_each_place(result.tables(), [&](int64_t t, int64_t e, int64_t linear) -> Status {
    ANYBIT_ASSIGN(const Code code, from.holds(t, linear)
                                       ? execution.read(source, t, from.local_of[linear])
                                       : execution.read_any(source, linear));
    result.set(t, e, code);
    return {};
  }));
  execution.define(view.instruction.result, std::move(result));
  return {};
}

Status execute_reshape(Execution& execution, const InstructionView& view) {
  return keep_in_threads(execution, view, [](int64_t linear) { return linear; });
}

Status execute_permute(Execution& execution, const InstructionView& view) {
  const std::vector<int64_t>&from = view.operand(0).shape, &to = view.result().shape;
  const auto& dims = view.attribute<std::vector<int64_t>>(0);
  return keep_in_threads(execution, view, [&](int64_t linear) {
    const std::vector<int64_t> coords = coordinates_of(to, linear);
    std::vector<int64_t> source(from.size());
    for (size_t d = 0; d < dims.size(); ++d) source[dims[d]] = coords[d];
    return layout::ravel(layout::Dims(source), layout::Dims(from));
  });
}

Status execute_slice(Execution& execution, const InstructionView& view) {
  const auto& offset = view.attribute<std::vector<int64_t>>(0);
  const std::vector<int64_t>&from = view.operand(0).shape, &to = view.result().shape;
  return keep_in_threads(execution, view, [&](int64_t linear) {
    std::vector<int64_t> coords = coordinates_of(to, linear);
    for (size_t d = 0; d < coords.size(); ++d) coords[d] += offset[d];
    return layout::ravel(layout::Dims(coords), layout::Dims(from));
  });
}

Status execute_assign(Execution& execution, const InstructionView& view) {
  const ValueId target = view.instruction.operands[0], source = view.instruction.operands[1];
  RegisterTile result(view.operand(0).element, execution.tables(target));
  ANYBIT_TRY(for_each_place(result.tables(), [&](int64_t t, int64_t e, int64_t linear) -> Status {
    ANYBIT_ASSIGN(const Code code, execution.read_held(source, t, linear));
    result.set(t, e, code);
    return {};
  }));
  execution.define(target, std::move(result));
  return {};
}

}  // namespace anybit::vm::reference
