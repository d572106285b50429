// alloc_barrier, barrier_arrive, barrier_expect, barrier_wait, copy_bulk, fence_async.
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
  const auto count = static_cast<size_t>(view.result().num_elements());
  execution.define(view.instruction.result,
                   BarrierTile{view.result().shape, std::make_shared<std::vector<PhaseBarrier>>(
                                                        count, PhaseBarrier(view.integer(1)))});
  return {};
}

Status execute_barrier_arrive(Execution& execution, const InstructionView& view) {
  ANYBIT_ASSIGN(PhaseBarrier* const barrier, barrier_of(execution, view, 0, 0));
  return barrier->arrive(execution.num_warps(), 0);
}

Status execute_barrier_expect(Execution& execution, const InstructionView& view) {
  ANYBIT_ASSIGN(PhaseBarrier* const barrier, barrier_of(execution, view, 0, 0));
  return barrier->arrive(1, view.integer(1));
}

Status execute_barrier_wait(Execution& execution, const InstructionView& view) {
  ANYBIT_ASSIGN(PhaseBarrier* const barrier, barrier_of(execution, view, 0, 0));
  ANYBIT_ASSIGN(const int64_t parity, execution.integer(view.attribute<Expr>(1)));
  if (parity != 0 && parity != 1) {
    return fail(ErrorCode::kInvalidArgument, "parity {}, expected 0 or 1", parity);
  }
  if (barrier->is_complete(parity)) return {};
  return fail(ErrorCode::kInvalidArgument, "deadlock: phase {} never completes", barrier->phase());
}

Status execute_copy_bulk(Execution& execution, const InstructionView& view) {
  const ValueId id = view.instruction.operands[0];
  const SharedTile& target = execution.shared(id);
  const GlobalTensor& tensor = execution.global(view.instruction.operands[1]);
  ANYBIT_ASSIGN(PhaseBarrier* const barrier, barrier_of(execution, view, 2, 1));
  ANYBIT_ASSIGN(const std::vector<int64_t> offset,
                execution.integers(view.attribute<std::vector<Expr>>(0)));
  const size_t skipped = offset.size() - target.shape.size();
  const int bits = target.element.bits;
  for (int64_t x = 0; x < static_cast<int64_t>(target.offsets.size()); ++x) {
    const std::vector<int64_t> inner = coordinates_of(target.shape, x);
    std::vector<int64_t> coords = offset;
    for (size_t d = 0; d < inner.size(); ++d) coords[skipped + d] += inner[d];
    const auto index = tensor.index_of(coords);
    const Result<Code> code = index ? tensor.read(*index) : Code{0};
    if (!code) return execution.fault(0, id, x, code.error());
    const Status status = execution.arena().write(*target.storage, target.offsets[x] * bits, bits,
                                                  *code, execution.accessor(0));
    if (!status) return execution.fault(0, id, x, status.error());
  }
  barrier->complete(static_cast<int64_t>(target.offsets.size()) * bits / 8);
  return {};
}

Status execute_fence_async(Execution&, const InstructionView&) { return {}; }

}  // namespace anybit::vm::reference
