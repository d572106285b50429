// reduce and scan: elements along one dimension are combined, in the order that the rows define.
#include "anybit/vm/backend/reference/internal/execution.h"

namespace anybit::vm::reference {
namespace {

/// What reduce computes in: f16 and bf16 in f32.
ElementFormat wide_format(const ElementFormat& element) {
  return is_compute_float(element) ? numeric::kF32 : element;
}

/// By how much the thread index changes when a bit of a thread digit of `dim` flips: pairs of the
/// digit's weight and the bit, the least significant first.
struct ThreadBit {
  int64_t weight = 1;  // Of the digit in the thread index.
  int64_t extent = 1;  // Of the digit.
  int64_t bit = 1;
};
std::vector<ThreadBit> thread_bits(const layout::RegisterLayout& layout, int dim) {
  std::vector<ThreadBit> bits;
  int64_t weight = 1;
  const auto digits = layout.thread_digits();
  for (size_t i = digits.size(); i-- > 0;) {
    for (int64_t bit = 1; digits[i].dim == dim && bit < digits[i].extent; bit *= 2) {
      bits.push_back({weight, digits[i].extent, bit});
    }
    weight *= digits[i].extent;
  }
  return bits;
}

int64_t partner_of(int64_t thread, const ThreadBit& at) {
  const int64_t digit = thread / at.weight % at.extent;
  return thread + ((digit ^ at.bit) - digit) * at.weight;
}

/// Row-major elements of a tile as their least holders have them.
Result<std::vector<Code>> dense_codes(Execution& execution, ValueId id) {
  const LayoutTables& tables = execution.registers(id).tables();
  std::vector<Code> codes(static_cast<size_t>(tables.size()));
  ANYBIT_TRY(for_each_element(tables, [&](int64_t t, int64_t e, int64_t linear) -> Status {
    ANYBIT_ASSIGN(codes[linear], execution.read(id, t, e));
    return {};
  }));
  return codes;
}

}  // namespace

Status execute_reduce(Execution& execution, const InstructionView& view) {
  const auto op = static_cast<ReduceOp>(view.integer(0));
  const int dim = static_cast<int>(view.integer(1));
  const ValueId source = view.instruction.operands[0];
  const ElementFormat element = view.result().element, wide = wide_format(element);
  const LayoutTables& from = execution.registers(source).tables();
  RegisterTile result(element, execution.tables(view.instruction.result));
  const LayoutTables& to = result.tables();
  const std::vector<int64_t> result_of = [&] {  // The element that each element reduces into.
    std::vector<int64_t> map(static_cast<size_t>(from.size()));
    const layout::Dims& shape = from.layout.shape();
    for (int64_t x = 0; x < from.size(); ++x) {
      layout::Dims coords = layout::unravel(x, shape);
      coords[dim] = 0;
      map[x] = layout::ravel(coords, to.layout.shape());
    }
    return map;
  }();

  // Each thread for itself, in the order of its elements.
  const int64_t places = to.local_size();
  std::vector<Code> partial(static_cast<size_t>(to.num_threads() * places));
  std::vector<bool> has_partial(partial.size());
  ANYBIT_TRY(for_each_place(from, [&](int64_t t, int64_t e, int64_t linear) -> Status {
    ANYBIT_ASSIGN(Code code, execution.read(source, t, e));
    if (!(wide == element)) code = float_code(wide, element_value(element, code));
    const int64_t at = t * places + to.local_of[result_of[linear]];
    partial[at] = has_partial[at] ? apply_reduce(op, wide, partial[at], code) : code;
    has_partial[at] = true;
    return {};
  }));

  // Then between threads.
  for (const ThreadBit& bit : thread_bits(from.layout, dim)) {
    const std::vector<Code> before = partial;
    for (int64_t t = 0; t < to.num_threads(); ++t) {
      const int64_t other = partner_of(t, bit);
      for (int64_t r = 0; r < places; ++r) {
        partial[t * places + r] =
            apply_reduce(op, wide, before[t * places + r], before[other * places + r]);
      }
    }
  }
  ANYBIT_TRY(for_each_place(to, [&](int64_t t, int64_t e, int64_t) -> Status {
    const Code code = partial[t * places + e];
    result.set(t, e, wide == element ? code : float_code(element, element_value(wide, code)));
    return {};
  }));
  execution.define(view.instruction.result, std::move(result));
  return {};
}

Status execute_scan(Execution& execution, const InstructionView& view) {
  const auto op = static_cast<ReduceOp>(view.integer(0));
  const auto dim = static_cast<size_t>(view.integer(1));
  const bool is_exclusive = view.integer(2) == 1;
  const ElementFormat element = view.result().element;
  ANYBIT_ASSIGN(std::vector<Code> codes, dense_codes(execution, view.instruction.operands[0]));
  const std::vector<int64_t>& shape = view.result().shape;
  int64_t stride = 1;
  for (size_t d = dim + 1; d < shape.size(); ++d) stride *= shape[d];
  const auto size = static_cast<int64_t>(codes.size());
  for (int64_t first = 0; first < size; ++first) {
    if (first / stride % shape[dim] != 0) continue;
    Code total = codes[first];
    if (is_exclusive) codes[first] = reduce_neutral(op, element);
    for (int64_t i = 1; i < shape[dim]; ++i) {
      Code& code = codes[first + i * stride];
      const Code next = apply_reduce(op, element, total, code);
      code = is_exclusive ? total : next;
      total = next;
    }
  }
  RegisterTile& result = execution.define_registers(view.instruction.result);
  return for_each_place(result.tables(), [&](int64_t t, int64_t e, int64_t linear) -> Status {
    result.set(t, e, codes[linear]);
    return {};
  });
}

}  // namespace anybit::vm::reference
