// Shared memory: alloc_shared, free_shared, slice_shared, reshape_shared, permute_shared,
// load_shared, store_shared, lookup, atomic_shared, and the asynchronous copies into it.
#include <algorithm>
#include <numeric>

#include "anybit/vm/backend/reference/internal/execution.h"

namespace anybit::vm::reference {
namespace {

/// Where the elements of a tile lie in its allocation, in elements: as its layout says, row-major
/// if it has none. [elements]
std::vector<int64_t> element_offsets(const TensorType& type) {
  std::vector<int64_t> offsets(static_cast<size_t>(type.num_elements()));
  std::iota(offsets.begin(), offsets.end(), 0);
  if (!type.shared_layout) return offsets;
  const layout::Dims shape(type.shape);
  for (int64_t& offset : offsets) {
    offset = type.shared_layout->offset(layout::unravel(offset, shape));
  }
  return offsets;
}

/// A part of `source`: element x of `shape` is element source_of(x) of it.
template <class SourceOf>
SharedTile part_of(const SharedTile& source, const std::vector<int64_t>& shape,
                   SourceOf&& source_of) {
  SharedTile part{source.storage, source.element, shape, {}};
  int64_t size = 1;
  for (const int64_t extent : shape) size *= extent;
  for (int64_t x = 0; x < size; ++x) part.offsets.push_back(source.offsets[source_of(x)]);
  return part;
}

int64_t ravel(const std::vector<int64_t>& coords, const std::vector<int64_t>& shape) {
  return layout::ravel(layout::Dims(coords), layout::Dims(shape));
}

/// Element `linear` of a shared tile as bits of its allocation.
int64_t bit_of(const SharedTile& tile, int64_t linear) {
  return tile.offsets[linear] * tile.element.bits;
}

}  // namespace

Status execute_alloc_shared(Execution& execution, const InstructionView& view) {
  const ValueId id = view.instruction.result;
  const TensorType& type = view.result();
  std::vector<int64_t> offsets = element_offsets(type);
  const int64_t extent = *std::max_element(offsets.begin(), offsets.end()) + 1;
  execution.define(
      id, SharedTile{execution.arena().allocate(execution.name(id), extent * type.element.bits),
                     type.element, type.shape, std::move(offsets)});
  return {};
}

Status execute_free_shared(Execution& execution, const InstructionView& view) {
  return execution.arena().free(*execution.shared(view.instruction.operands[0]).storage);
}

Status execute_slice_shared(Execution& execution, const InstructionView& view) {
  const SharedTile& source = execution.shared(view.instruction.operands[0]);
  ANYBIT_ASSIGN(const std::vector<int64_t> offset,
                execution.integers(view.attribute<std::vector<Expr>>(0)));
  const std::vector<int64_t>& shape = view.result().shape;
  for (size_t d = 0; d < shape.size(); ++d) {
    if (offset[d] >= 0 && offset[d] <= source.shape[d] - shape[d]) continue;
    return fail(ErrorCode::kInvalidArgument, "the slice {} at {} leaves %{} {}", shape_text(shape),
                shape_text(offset), execution.name(view.instruction.operands[0]),
                shape_text(source.shape));
  }
  execution.define(view.instruction.result, part_of(source, shape, [&](int64_t x) {
                     std::vector<int64_t> coords = coordinates_of(shape, x);
                     for (size_t d = 0; d < coords.size(); ++d) coords[d] += offset[d];
                     return ravel(coords, source.shape);
                   }));
  return {};
}

Status execute_reshape_shared(Execution& execution, const InstructionView& view) {
  const SharedTile& source = execution.shared(view.instruction.operands[0]);
  execution.define(view.instruction.result,
                   part_of(source, view.result().shape, [](int64_t x) { return x; }));
  return {};
}

Status execute_permute_shared(Execution& execution, const InstructionView& view) {
  const SharedTile& source = execution.shared(view.instruction.operands[0]);
  const auto& dims = view.attribute<std::vector<int64_t>>(0);
  const std::vector<int64_t>& shape = view.result().shape;
  execution.define(view.instruction.result, part_of(source, shape, [&](int64_t x) {
                     const std::vector<int64_t> coords = coordinates_of(shape, x);
                     std::vector<int64_t> from(coords.size());
                     for (size_t d = 0; d < dims.size(); ++d) from[dims[d]] = coords[d];
                     return ravel(from, source.shape);
                   }));
  return {};
}

Status execute_load_shared(Execution& execution, const InstructionView& view) {
  const SharedTile& source = execution.shared(view.instruction.operands[0]);
  const ValueId id = view.instruction.result;
  RegisterTile& result = execution.define_registers(id);
  return for_each_place(result.tables(), [&](int64_t t, int64_t e, int64_t linear) -> Status {
    const Result<Code> code = execution.arena().read(*source.storage, bit_of(source, linear),
                                                     source.element.bits, execution.accessor(t));
    if (!code) return execution.fault(t, id, linear, code.error());
    result.set(t, e, *code);
    return {};
  });
}

Status execute_store_shared(Execution& execution, const InstructionView& view) {
  const SharedTile& target = execution.shared(view.instruction.operands[0]);
  const ValueId tile = view.instruction.operands[1];
  const LayoutTables& tables = execution.registers(tile).tables();
  return for_each_element(tables, [&](int64_t t, int64_t e, int64_t linear) -> Status {
    ANYBIT_ASSIGN(const Code code, execution.read(tile, t, e));
    const Status status = execution.arena().write(*target.storage, bit_of(target, linear),
                                                  target.element.bits, code, execution.accessor(t));
    return status ? status : execution.fault(t, tile, linear, status.error());
  });
}

Status execute_lookup(Execution& execution, const InstructionView& view) {
  const ValueId codes = view.instruction.operands[0], id = view.instruction.result;
  const SharedTile& table = execution.shared(view.instruction.operands[1]);
  RegisterTile result(table.element, execution.tables(id));
  ANYBIT_TRY(for_each_place(result.tables(), [&](int64_t t, int64_t e, int64_t linear) -> Status {
    ANYBIT_ASSIGN(const Code entry, execution.read_held(codes, t, linear));
    const Result<Code> code = execution.arena().read(*table.storage, bit_of(table, entry),
                                                     table.element.bits, execution.accessor(t));
    if (!code) return execution.fault(t, id, linear, code.error());
    result.set(t, e, *code);
    return {};
  }));
  execution.define(id, std::move(result));
  return {};
}

Status execute_atomic_shared(Execution& execution, const InstructionView& view) {
  const SharedTile& target = execution.shared(view.instruction.operands[0]);
  const auto op = static_cast<AtomicOp>(view.integer(0));
  const ValueId indices = view.instruction.operands[1], values = view.instruction.operands[2];
  const LayoutTables& tables = execution.registers(indices).tables();
  std::vector<Code> before(static_cast<size_t>(tables.size()));
  ANYBIT_TRY(for_each_element(tables, [&](int64_t t, int64_t e, int64_t linear) -> Status {
    ANYBIT_ASSIGN(const Code at, execution.read(indices, t, e));
    ANYBIT_ASSIGN(const Code value, execution.read_held(values, t, linear));
    const int64_t index = integer_value(kInt32, at);
    if (index < 0 || index >= target.shape[0]) return {};
    const Result<Code> old =
        execution.arena().update(*target.storage, bit_of(target, index), target.element.bits, op,
                                 target.element, value, execution.accessor(t));
    if (!old) return execution.fault(t, values, linear, old.error());
    before[linear] = *old;
    return {};
  }));
  if (view.instruction.result == kNoValue) return {};
  RegisterTile& result = execution.define_registers(view.instruction.result);
  return for_each_place(result.tables(), [&](int64_t t, int64_t e, int64_t linear) -> Status {
    result.set(t, e, before[linear]);
    return {};
  });
}

/// The tile is dealt to the threads in row-major runs of 16 bytes (for widths that do not divide
/// that, of as many elements as make whole multiples of 16 bytes). Which thread copies what is not
/// for the program to know, so no reader is ordered with a copy without a sync.
Status execute_copy_async(Execution& execution, const InstructionView& view) {
  const ValueId id = view.instruction.operands[0];
  const SharedTile& target = execution.shared(id);
  const GlobalTensor& tensor = execution.global(view.instruction.operands[1]);
  ANYBIT_ASSIGN(const std::vector<int64_t> offset,
                execution.integers(view.attribute<std::vector<Expr>>(0)));
  if (view.has_attribute(2)) {
    ANYBIT_ASSIGN(const ScalarValue wanted, execution.scalar(view.attribute<Expr>(2)));
    if (wanted.integer == 0) return {};
  }
  const bool in_bounds = view.integer(1) == 1;
  const int64_t run = 128 / std::gcd<int64_t>(128, target.element.bits);
  const size_t skipped = offset.size() - target.shape.size();
  for (int64_t x = 0; x < static_cast<int64_t>(target.offsets.size()); ++x) {
    const int64_t thread = x / run % execution.num_threads;
    const std::vector<int64_t> inner = coordinates_of(target.shape, x);
    std::vector<int64_t> coords = offset;
    for (size_t d = 0; d < inner.size(); ++d) {
      int64_t& at = coords[skipped + d];
      if (__builtin_add_overflow(at, inner[d], &at)) at = -1;
    }
    const auto index = tensor.index_of(coords);
    Result<Code> code = index ? tensor.read(*index) : Code{0};
    if (!index && in_bounds) {
      code = fail(ErrorCode::kInvalidArgument, "in_bounds=true, but {} lies outside {}",
                  shape_text(coords), shape_text(tensor.extents));
    }
    Status status;
    if (code) {
      status = execution.arena().copy(*target.storage, bit_of(target, x), target.element.bits,
                                      *code, execution.accessor(thread));
    } else {
      status = tl::make_unexpected(code.error());
    }
    if (!status) return execution.fault(thread, id, x, status.error());
  }
  return {};
}

Status execute_copy_async_commit(Execution& execution, const InstructionView&) {
  execution.arena().commit(execution.first_warp(), execution.num_warps());
  return {};
}

Status execute_copy_async_wait(Execution& execution, const InstructionView& view) {
  execution.arena().wait(execution.first_warp(), execution.num_warps(), view.integer(0));
  return {};
}

}  // namespace anybit::vm::reference
