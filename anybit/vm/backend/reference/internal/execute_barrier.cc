// Barriers of alloc_barrier, bulk copies and stores, fence_async, cluster_sync.
#include <algorithm>

#include "anybit/vm/backend/reference/internal/execution.h"

namespace anybit::vm::reference {
namespace {

/// The barrier that operand `operand` and attribute `index` name. Errors: outside the tile.
Result<PhaseBarrier*> barrier_of(Execution& execution, const InstructionView& view, size_t operand,
                                 size_t index) {
  BarrierTile& tile = execution.barriers(view.instruction.operands[operand]);
  ANYBIT_ASSIGN(const std::vector<int64_t> at,
                execution.integers(view.attribute<std::vector<Expr>>(index)));
  int64_t linear = 0;
  for (size_t d = 0; d < at.size(); ++d) {
    if (at[d] < 0 || at[d] >= tile.shape[d]) {
      return fail(ErrorCode::kInvalidArgument, "index {} lies outside %{} {}", shape_text(at),
                  execution.name(view.instruction.operands[operand]), shape_text(tile.shape));
    }
    linear = linear * tile.shape[d] + at[d];
  }
  return &(*tile.barriers)[static_cast<size_t>(linear)];
}

}  // namespace

Status execute_alloc_barrier(Execution& execution, const InstructionView& view) {
  const ValueId id = view.instruction.result;
  const std::vector<int64_t>& shape = view.result().shape;
  auto barriers = std::make_shared<std::vector<PhaseBarrier>>();
  for (int64_t i = 0; i < view.result().num_elements(); ++i) {
    barriers->emplace_back(
        fmt::format("%{}{}", execution.name(id), shape_text(coordinates_of(shape, i))),
        execution.arena().clock().add_agent(), view.integer(1), execution.arena().checks_races());
  }
  const BarrierTile tile{shape, std::move(barriers)};
  execution.add_barriers(tile);
  execution.define(id, tile);
  return {};
}

Status execute_barrier_arrive(Execution& execution, const InstructionView& view) {
  ANYBIT_ASSIGN(PhaseBarrier* const barrier, barrier_of(execution, view, 0, 0));
  for (int64_t w = 0; w < execution.num_warps(); ++w) {
    ANYBIT_TRY(barrier->arrive(execution.arena().clock(), execution.accessor(w * kWarpSize), 0));
  }
  return {};
}

Status execute_barrier_expect(Execution& execution, const InstructionView& view) {
  ANYBIT_ASSIGN(PhaseBarrier* const barrier, barrier_of(execution, view, 0, 0));
  return barrier->arrive(execution.arena().clock(), execution.accessor(0), view.integer(1));
}

Status execute_barrier_wait(Execution& execution, const InstructionView& view) {
  ANYBIT_ASSIGN(PhaseBarrier* const barrier, barrier_of(execution, view, 0, 0));
  ANYBIT_ASSIGN(const int64_t parity, execution.integer(view.attribute<Expr>(1)));
  if (parity != 0 && parity != 1) {
    return fail(ErrorCode::kInvalidArgument, "parity {}, expected 0 or 1", parity);
  }
  BarrierClock& clock = execution.arena().clock();
  int64_t target = 0;
  for (int64_t w = 0; w < execution.num_warps(); ++w) {
    ANYBIT_ASSIGN(const int64_t own,
                  barrier->begin_wait(clock, execution.accessor(w * kWarpSize), parity));
    target = std::max(target, own);
  }
  const int place = execution.place;
  const int64_t first = execution.first_thread, last = first + execution.num_threads - 1;
  ANYBIT_TRY(execution.wait_until([&] { return barrier->phase() >= target; },
                                  [&] {
                                    return fmt::format("threads {} to {} wait for {}", first, last,
                                                       barrier->waiting_text(target, place));
                                  }));
  for (int64_t w = 0; w < execution.num_warps(); ++w) {
    barrier->end_wait(clock, execution.accessor(w * kWarpSize));
  }
  return {};
}

namespace {

/// What the hardware asks of a tensor of bulk copies. Errors: kInvalidArgument.
Status check_bulk_tensor(const GlobalTensor& tensor) {
  constexpr int64_t kMultiple = 16;
  for (size_t d = 0; d < tensor.extents.size(); ++d) {
    const bool is_last = d + 1 == tensor.extents.size();
    const int64_t bytes = tensor.strides[d] * tensor.element.bits / 8;
    if (tensor.extents[d] < 1) {
      return fail(ErrorCode::kInvalidArgument, "a tensor of bulk copies has extents {}",
                  shape_text(tensor.extents));
    }
    if (is_last ? tensor.strides[d] == 1 : bytes > 0 && bytes % kMultiple == 0) continue;
    return fail(ErrorCode::kInvalidArgument,
                "a tensor of bulk copies has strides {} of elements of {} bits, expected multiples "
                "of {} bytes, and rows without gaps",
                shape_text(tensor.strides), tensor.element.bits, kMultiple);
  }
  return {};
}

/// The coordinates of element `linear` of a tile at `offset`. Pre: offsets are i32 values.
std::vector<int64_t> box_coordinates(const std::vector<int64_t>& offset,
                                     const std::vector<int64_t>& shape, int64_t linear) {
  std::vector<int64_t> coords = offset;
  const std::vector<int64_t> inner = coordinates_of(shape, linear);
  for (size_t d = 0; d < inner.size(); ++d) coords[offset.size() - shape.size() + d] += inner[d];
  return coords;
}

/// The offset of a box. Errors: it is no i32, which is what the hardware takes.
Result<std::vector<int64_t>> box_offset(Execution& execution, const std::vector<Expr>& exprs) {
  ANYBIT_ASSIGN(std::vector<int64_t> offset, execution.integers(exprs));
  for (const int64_t x : offset) {
    if (x == static_cast<int32_t>(x)) continue;
    return fail(ErrorCode::kInvalidArgument, "offset {} leaves the range of i32",
                shape_text(offset));
  }
  return offset;
}

}  // namespace

Status execute_copy_bulk(Execution& execution, const InstructionView& view) {
  const ValueId id = view.instruction.operands[0];
  const SharedTile& target = execution.shared(id);
  const GlobalTensor& tensor = execution.global(view.instruction.operands[1]);
  ANYBIT_TRY(check_bulk_tensor(tensor));
  ANYBIT_ASSIGN(PhaseBarrier* const barrier, barrier_of(execution, view, 2, 1));
  ANYBIT_ASSIGN(const std::vector<int64_t> offset,
                box_offset(execution, view.attribute<std::vector<Expr>>(0)));
  const int bits = target.element.bits;
  const int64_t bytes = static_cast<int64_t>(target.offsets.size()) * bits / 8;
  const Accessor who = execution.accessor(0);
  ANYBIT_TRY(barrier->begin_copy(execution.arena().clock(), who, bytes));
  const BulkPhase phase{barrier->agent(), barrier->phase()};
  for (int64_t x = 0; x < static_cast<int64_t>(target.offsets.size()); ++x) {
    const auto index = tensor.index_of(box_coordinates(offset, target.shape, x));
    const Result<Code> code = index ? tensor.read(*index) : Code{0};
    if (!code) return execution.fault(0, id, x, code.error());
    const Status status = execution.arena().bulk_copy(*target.storage, target.offsets[x] * bits,
                                                      bits, *code, who, phase);
    if (!status) return execution.fault(0, id, x, status.error());
  }
  return barrier->end_copy(bytes);
}

Status execute_store_bulk(Execution& execution, const InstructionView& view) {
  const ValueId id = view.instruction.operands[1];
  const GlobalTensor& tensor = execution.global(view.instruction.operands[0]);
  const SharedTile& source = execution.shared(id);
  ANYBIT_TRY(check_bulk_tensor(tensor));
  ANYBIT_ASSIGN(const std::vector<int64_t> offset,
                box_offset(execution, view.attribute<std::vector<Expr>>(0)));
  const int bits = source.element.bits;
  for (int64_t x = 0; x < static_cast<int64_t>(source.offsets.size()); ++x) {
    const Result<Code> code = execution.arena().bulk_read(*source.storage, source.offsets[x] * bits,
                                                          bits, execution.accessor(0));
    if (!code) return execution.fault(0, id, x, code.error());
    const auto index = tensor.index_of(box_coordinates(offset, source.shape, x));
    const Status status = index ? tensor.write(*index, *code) : Status();
    if (!status) return execution.fault(0, id, x, status.error());
  }
  return {};
}

Status execute_store_bulk_commit(Execution& execution, const InstructionView&) {
  execution.arena().commit_stores(execution.first_warp());
  return {};
}

Status execute_store_bulk_wait(Execution& execution, const InstructionView& view) {
  execution.arena().wait_stores(execution.first_warp(), view.integer(0));
  return {};
}

/// CTAs run one after another: what passes between those of a cluster is global memory alone.
Status execute_cluster_sync(Execution& execution, const InstructionView&) {
  execution.arena().barrier(execution.first_warp(), execution.num_warps());
  return {};
}

Status execute_fence_async(Execution& execution, const InstructionView&) {
  execution.arena().fence_async(execution.first_warp(), execution.num_warps());
  return {};
}

}  // namespace anybit::vm::reference
