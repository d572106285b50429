// wgmma, wgmma_commit, wgmma_wait. A product is made when it is issued, from operands
// that must be complete then; until a wait covers it, touching its registers or overwriting what it
// reads in shared memory is an error, so no program can tell.
#include <algorithm>

#include "anybit/vm/backend/reference/internal/execution.h"
#include "anybit/vm/ir/wgmma.h"

namespace anybit::vm::reference {
namespace {

constexpr int64_t kWarpsOfGroup = kWarpgroupSize / kWarpSize;

/// The rows of a, or columns of b, that one warpgroup multiplies. [extent of the sum] each
std::vector<bool> lines_of(const WgmmaPlan& plan, int64_t warpgroup, int dim, int64_t extent) {
  const int64_t width = dim == 0 ? kWgmmaRows : plan.n;
  std::vector<bool> lines(static_cast<size_t>(extent));
  for (int64_t p = 0; p < plan.tiles.local_size(); ++p) {
    const int64_t first = plan.tiles.coordinates(warpgroup, p)[dim] * width;
    std::fill_n(lines.begin() + first, width, true);
  }
  return lines;
}

/// Values of the lines of operand i (row-major, as the operand is), 0 elsewhere.
class OperandReader {
 public:
  OperandReader(Execution& execution, const InstructionView& view, const WgmmaPlan& plan,
                int64_t warpgroup)
      : execution_(execution), view_(view), plan_(plan), warpgroup_(warpgroup) {}

  Result<std::vector<float>> values(size_t i, PendingWgmma& pending) {
    const TensorType& type = view_.operand(i);
    const int dim = i == kWgmmaA ? 0 : 1;
    const std::vector<bool> lines = lines_of(plan_, warpgroup_, dim, type.shape[dim]);
    const ValueId id = view_.instruction.operands[i];
    const bool in_registers = type.space == MemorySpace::kRegister;
    std::vector<float> result(static_cast<size_t>(type.num_elements()));
    SharedBytes read;
    if (!in_registers) read.storage = execution_.shared(id).storage;
    for (int64_t x = 0; x < type.num_elements(); ++x) {
      if (!lines[dim == 0 ? x / type.shape[1] : x % type.shape[1]]) continue;
      ANYBIT_ASSIGN(const Code code,
                    in_registers ? read_register(id, x) : read_shared(id, x, read.bytes));
      result[x] = static_cast<float>(element_value(type.element, code));
    }
    if (in_registers) {
      pending.a = id;
    } else {
      execution_.arena().begin_reading(*read.storage, read.bytes, execution_.place);
      pending.reads.push_back(std::move(read));
    }
    return result;
  }

 private:
  /// Each warp takes part in the reading.
  Result<Code> read_shared(ValueId id, int64_t x, std::vector<int64_t>& bytes) {
    const SharedTile& tile = execution_.shared(id);
    const int bits = tile.element.bits;
    const int64_t bit = tile.offsets[x] * bits;
    Code result = 0;
    for (int64_t w = 0; w < kWarpsOfGroup; ++w) {
      const int64_t thread = warpgroup_ * kWarpgroupSize + w * kWarpSize;
      const Result<Code> code =
          execution_.arena().read_by_wgmma(*tile.storage, bit, bits, execution_.accessor(thread));
      if (!code) return execution_.fault(thread, id, x, code.error());
      result = *code;
    }
    for (int64_t byte = bit / 8; byte < (bit + bits) / 8; ++byte) bytes.push_back(byte);
    return result;
  }

  /// From the least thread of the warpgroup that holds it.
  Result<Code> read_register(ValueId id, int64_t x) {
    const LayoutTables& tables = execution_.registers(id).tables();
    int64_t thread = warpgroup_ * kWarpgroupSize;
    while (!tables.holds(thread, x)) ++thread;
    return execution_.read(id, thread, tables.local_of[x]);
  }

  Execution& execution_;
  const InstructionView& view_;
  const WgmmaPlan& plan_;
  const int64_t warpgroup_;
};

/// sum(i, j) = fma(a(i, p), b(p, j), sum(i, j)) for p ascending, as vm/mma_order.h.
Status accumulate(Execution& execution, const InstructionView& view, int64_t warpgroup,
                  const std::vector<float>& a, const std::vector<float>& b) {
  const ValueId id = view.instruction.operands[kWgmmaSum];
  const int64_t n = view.operand(kWgmmaB).shape[1], k = view.operand(kWgmmaB).shape[0];
  RegisterTile& sum = execution.registers(id);
  const LayoutTables& tables = sum.tables();
  const int64_t first = warpgroup * kWarpgroupSize;
  for (int64_t t = first; t < first + kWarpgroupSize; ++t) {
    for (int64_t e = 0; e < tables.local_size(); ++e) {
      const int64_t linear = tables.linear(t, e), i = linear / n, j = linear % n;
      ANYBIT_ASSIGN(const Code before, execution.read(id, t, e));
      auto value = static_cast<float>(element_value(numeric::kF32, before));
      for (int64_t p = 0; p < k; ++p) value = std::fma(a[i * k + p], b[p * n + j], value);
      sum.set(t, e, float_code(numeric::kF32, value));
    }
  }
  return {};
}

int64_t first_group(const Execution& execution) { return execution.first_thread / kWarpgroupSize; }
int64_t num_groups(const Execution& execution) { return execution.num_threads / kWarpgroupSize; }

}  // namespace

Status execute_wgmma(Execution& execution, const InstructionView& view) {
  ANYBIT_ASSIGN(const WgmmaPlan plan, plan_wgmma(view, *view.operand(kWgmmaSum).register_layout));
  for (int64_t g = 0; g < num_groups(execution); ++g) {
    WgmmaGroups& groups = execution.wgmma_groups(first_group(execution) + g);
    PendingWgmma pending{groups.num_committed, execution.place,
                         view.instruction.operands[kWgmmaSum]};
    OperandReader reader(execution, view, plan, g);
    ANYBIT_ASSIGN(const std::vector<float> a, reader.values(kWgmmaA, pending));
    ANYBIT_ASSIGN(const std::vector<float> b, reader.values(kWgmmaB, pending));
    ANYBIT_TRY(accumulate(execution, view, g, a, b));
    groups.pending.push_back(std::move(pending));
  }
  return {};
}

Status execute_wgmma_commit(Execution& execution, const InstructionView&) {
  for (int64_t g = 0; g < num_groups(execution); ++g) {
    ++execution.wgmma_groups(first_group(execution) + g).num_committed;
  }
  return {};
}

Status execute_wgmma_wait(Execution& execution, const InstructionView& view) {
  for (int64_t g = 0; g < num_groups(execution); ++g) {
    const int64_t group = first_group(execution) + g;
    for (const PendingWgmma& done : execution.wgmma_groups(group).finish(view.integer(0))) {
      for (const SharedBytes& read : done.reads) {
        execution.arena().end_reading(*read.storage, read.bytes, group * kWarpsOfGroup,
                                      kWarpsOfGroup, done.place);
      }
    }
  }
  return {};
}

Status check_wgmma_registers(const Execution& execution, const InstructionView& view) {
  const Instruction& instruction = view.instruction;
  const bool is_wgmma = instruction.opcode == Opcode::kWgmma;
  const auto check = [&](ValueId id, bool may_be_sum, bool may_be_a) -> Status {
    if (id == kNoValue || view.program.type_of(id).space != MemorySpace::kRegister) return {};
    const int64_t first = execution.first_thread;
    for (int64_t g = first / kWarpgroupSize; g * kWarpgroupSize < first + execution.num_threads;
         ++g) {
      for (const PendingWgmma& pending : execution.wgmma_groups(g).pending) {
        const bool clashes = (pending.sum == id && !may_be_sum) || (pending.a == id && !may_be_a);
        if (!clashes) continue;
        const auto& layout = *view.program.type_of(id).register_layout;
        const int64_t thread = std::max<int64_t>(g * kWarpgroupSize - first, 0);
        return execution.fault(
            thread, id, layout.linear_index(thread, 0),
            {ErrorCode::kInvalidArgument,
             fmt::format("%{} belongs to the wgmma of {}, which no wgmma_wait has covered",
                         execution.name(id), place_text(pending.place))});
      }
    }
    return {};
  };
  for (size_t i = 0; i < instruction.operands.size(); ++i) {
    ANYBIT_TRY(
        check(instruction.operands[i], is_wgmma && i == kWgmmaSum, is_wgmma && i == kWgmmaA));
  }
  return check(instruction.result, false, false);
}

}  // namespace anybit::vm::reference
