// Global memory: global_view, load_global, store_global, gather_global, scatter_global,
// atomic_global and the semaphores.
#include <map>

#include "anybit/vm/backend/reference/internal/execution.h"

namespace anybit::vm::reference {
namespace {

Error error_of(ErrorCode code, std::string message) { return {code, std::move(message)}; }

/// The region that a pointer points into. Parameters point to the first byte of theirs.
Result<GlobalRegion> region_of(const Launch& launch, const std::byte* address) {
  for (const GlobalRegion& region : launch.regions) {
    if (region.bytes.data() == address) return region;
  }
  return fail(ErrorCode::kInvalidArgument, "a pointer that is no parameter");
}

/// Where the elements of a tile of `tile_shape` at `offset` lie in a tensor of the same or higher
/// rank: the tile spans the last dimensions.
class TileWindow {
 public:
  TileWindow(std::vector<int64_t> offset, const std::vector<int64_t>& tile_shape)
      : offset_(std::move(offset)), shape_(tile_shape) {}

  std::vector<int64_t> coordinates(int64_t linear) const {
    const std::vector<int64_t> inner = coordinates_of(shape_, linear);
    std::vector<int64_t> coords = offset_;
    const size_t skipped = offset_.size() - shape_.size();
    for (size_t d = 0; d < inner.size(); ++d) {
      // An offset near the end of int64 lies outside whatever is added.
      int64_t& x = coords[skipped + d];
      if (__builtin_add_overflow(x, inner[d], &x)) x = -1;
    }
    return coords;
  }

 private:
  std::vector<int64_t> offset_;
  const std::vector<int64_t>& shape_;
};

Error outside(const std::vector<int64_t>& coords, const GlobalTensor& tensor) {
  return error_of(ErrorCode::kInvalidArgument,
                  fmt::format("in_bounds=true, but {} lies outside {}", shape_text(coords),
                              shape_text(tensor.extents)));
}

Result<int64_t> checked_extent(int64_t value, bool may_be_negative, std::string_view what) {
  if (value > kMaxExtent || value < (may_be_negative ? -kMaxExtent : 0)) {
    return fail(ErrorCode::kInvalidArgument, "{} {} is out of range", what, value);
  }
  return value;
}

/// Finds two threads that write parts of one byte: elements of less than a byte must be written by
/// threads that hold whole bytes of them.
class ByteOwners {
 public:
  explicit ByteOwners(const ElementFormat& element) : bits_(element.bits) {}

  Status claim(int64_t thread, __int128 index) {
    if (bits_ % 8 == 0) return {};
    const auto first = static_cast<int64_t>(index * bits_ / 8);
    const auto last = static_cast<int64_t>((index * bits_ + bits_ - 1) / 8);
    for (int64_t byte = first; byte <= last; ++byte) {
      const auto [entry, is_new] = owners_.try_emplace(byte, thread);
      if (is_new || entry->second == thread) continue;
      return fail(ErrorCode::kInvalidArgument,
                  "threads {} and {} hold parts of byte {}; convert the layout so that threads "
                  "hold whole bytes",
                  entry->second, thread, byte);
    }
    return {};
  }

 private:
  int bits_;
  std::map<int64_t, int64_t> owners_;
};

}  // namespace

Status execute_global_view(Execution& execution, const InstructionView& view) {
  ANYBIT_ASSIGN(const ScalarValue pointer, execution.scalar(view.attribute<Expr>(0)));
  ANYBIT_ASSIGN(GlobalRegion region, region_of(execution.launch(), pointer.address));
  const TensorType& type = view.result();
  GlobalTensor tensor{std::move(region), type.element, {}, {}};
  ANYBIT_ASSIGN(tensor.extents, execution.integers(type.extents));
  ANYBIT_ASSIGN(tensor.strides, execution.integers(type.strides));
  for (const int64_t extent : tensor.extents) {
    ANYBIT_TRY(checked_extent(extent, false, "the extent"));
  }
  for (const int64_t stride : tensor.strides) {
    ANYBIT_TRY(checked_extent(stride, true, "the stride"));
  }
  execution.define(view.instruction.result, std::move(tensor));
  return {};
}

Status execute_load_global(Execution& execution, const InstructionView& view) {
  const GlobalTensor& tensor = execution.global(view.instruction.operands[0]);
  ANYBIT_ASSIGN(std::vector<int64_t> offset,
                execution.integers(view.attribute<std::vector<Expr>>(0)));
  const bool in_bounds = view.integer(3) == 1;
  const ValueId id = view.instruction.result;
  const TileWindow window(std::move(offset), view.result().shape);
  RegisterTile& result = execution.define_registers(id);
  return for_each_place(result.tables(), [&](int64_t t, int64_t e, int64_t linear) -> Status {
    const std::vector<int64_t> coords = window.coordinates(linear);
    const auto index = tensor.index_of(coords);
    if (!index && in_bounds) return execution.fault(t, id, linear, outside(coords, tensor));
    const Result<Code> code = index ? tensor.read(*index) : Code{0};
    if (!code) return execution.fault(t, id, linear, code.error());
    result.set(t, e, *code);
    return {};
  });
}

Status execute_store_global(Execution& execution, const InstructionView& view) {
  const GlobalTensor& tensor = execution.global(view.instruction.operands[0]);
  const ValueId tile = view.instruction.operands[1];
  ANYBIT_ASSIGN(std::vector<int64_t> offset,
                execution.integers(view.attribute<std::vector<Expr>>(0)));
  const bool in_bounds = view.integer(1) == 1;
  const TileWindow window(std::move(offset), view.operand(1).shape);
  ByteOwners owners(tensor.element);
  const LayoutTables& tables = execution.registers(tile).tables();
  return for_each_element(tables, [&](int64_t t, int64_t e, int64_t linear) -> Status {
    const std::vector<int64_t> coords = window.coordinates(linear);
    const auto index = tensor.index_of(coords);
    if (!index) {
      return in_bounds ? Status(execution.fault(t, tile, linear, outside(coords, tensor)))
                       : Status();
    }
    ANYBIT_ASSIGN(const Code code, execution.read(tile, t, e));
    Status status = tensor.write(*index, code);
    if (status) status = owners.claim(execution.first_thread + t, *index);
    return status ? status : execution.fault(t, tile, linear, status.error());
  });
}

Status execute_gather_global(Execution& execution, const InstructionView& view) {
  const GlobalTensor& tensor = execution.global(view.instruction.operands[0]);
  const ValueId indices = view.instruction.operands[1], id = view.instruction.result;
  RegisterTile result(tensor.element, execution.tables(id));
  ANYBIT_TRY(for_each_place(result.tables(), [&](int64_t t, int64_t e, int64_t linear) -> Status {
    ANYBIT_ASSIGN(const Code at, execution.read_held(indices, t, linear));
    const int64_t coords[] = {integer_value(kInt32, at)};
    const auto index = tensor.index_of(coords);
    const Result<Code> code = index ? tensor.read(*index) : Code{0};
    if (!code) return execution.fault(t, id, linear, code.error());
    result.set(t, e, *code);
    return {};
  }));
  execution.define(id, std::move(result));
  return {};
}

/// Of several values for one index the last in row-major order stays.
Status execute_scatter_global(Execution& execution, const InstructionView& view) {
  const GlobalTensor& tensor = execution.global(view.instruction.operands[0]);
  const ValueId indices = view.instruction.operands[1], values = view.instruction.operands[2];
  const LayoutTables& tables = execution.registers(indices).tables();
  return for_each_element(tables, [&](int64_t t, int64_t e, int64_t linear) -> Status {
    ANYBIT_ASSIGN(const Code at, execution.read(indices, t, e));
    ANYBIT_ASSIGN(const Code code, execution.read_held(values, t, linear));
    const int64_t coords[] = {integer_value(kInt32, at)};
    const auto index = tensor.index_of(coords);
    if (!index) return {};
    const Status status = tensor.write(*index, code);
    return status ? status : execution.fault(t, values, linear, status.error());
  });
}

Status execute_atomic_global(Execution& execution, const InstructionView& view) {
  const GlobalTensor& tensor = execution.global(view.instruction.operands[0]);
  const auto op = static_cast<AtomicOp>(view.integer(0));
  const ValueId indices = view.instruction.operands[1], values = view.instruction.operands[2];
  const LayoutTables& tables = execution.registers(indices).tables();
  std::vector<Code> before(static_cast<size_t>(tables.size()));
  ANYBIT_TRY(for_each_element(tables, [&](int64_t t, int64_t e, int64_t linear) -> Status {
    ANYBIT_ASSIGN(const Code at, execution.read(indices, t, e));
    ANYBIT_ASSIGN(const Code value, execution.read_held(values, t, linear));
    const int64_t coords[] = {integer_value(kInt32, at)};
    const auto index = tensor.index_of(coords);
    if (!index) return {};
    const Result<Code> old = tensor.read(*index);
    if (!old) return execution.fault(t, values, linear, old.error());
    before[linear] = *old;
    return tensor.write(*index, apply_atomic(op, tensor.element, *old, value));
  }));
  if (view.instruction.result == kNoValue) return {};
  RegisterTile& result = execution.define_registers(view.instruction.result);
  return for_each_place(result.tables(), [&](int64_t t, int64_t e, int64_t linear) -> Status {
    result.set(t, e, before[linear]);
    return {};
  });
}

namespace {

struct Semaphore {
  __int128 index;
  int32_t value;
};

Result<Semaphore> semaphore(Execution& execution, const InstructionView& view) {
  const GlobalTensor& words = execution.global(view.instruction.operands[0]);
  ANYBIT_ASSIGN(const int64_t index, execution.integer(view.attribute<Expr>(0)));
  ANYBIT_ASSIGN(const int64_t value, execution.integer(view.attribute<Expr>(1)));
  const int64_t coords[] = {index};
  const auto at = words.index_of(coords);
  if (!at) {
    return fail(ErrorCode::kInvalidArgument, "index {} lies outside {}", index,
                shape_text(words.extents));
  }
  if (value != static_cast<int32_t>(value)) {
    return fail(ErrorCode::kInvalidArgument, "value {} does not fit a word", value);
  }
  return Semaphore{*at, static_cast<int32_t>(value)};
}

}  // namespace

Status execute_semaphore_acquire(Execution& execution, const InstructionView& view) {
  ANYBIT_ASSIGN(const Semaphore wanted, semaphore(execution, view));
  ANYBIT_ASSIGN(const Code found,
                execution.global(view.instruction.operands[0]).read(wanted.index));
  if (static_cast<int32_t>(found) != wanted.value) {
    return fail(ErrorCode::kInvalidArgument,
                "waits for {} where {} stands, though every earlier CTA has finished", wanted.value,
                static_cast<int32_t>(found));
  }
  execution.arena().barrier(execution.first_warp(), execution.num_warps());
  return {};
}

Status execute_semaphore_release(Execution& execution, const InstructionView& view) {
  ANYBIT_ASSIGN(const Semaphore released, semaphore(execution, view));
  execution.arena().barrier(execution.first_warp(), execution.num_warps());
  return execution.global(view.instruction.operands[0])
      .write(released.index, static_cast<Code>(released.value));
}

}  // namespace anybit::vm::reference
