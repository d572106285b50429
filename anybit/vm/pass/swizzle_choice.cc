#include "anybit/vm/pass/swizzle_choice.h"

#include <map>
#include <optional>

#include "anybit/layout/bank_conflicts.h"
#include "anybit/vm/ir/wgmma.h"
#include "anybit/vm/pass/shared_plan.h"

namespace anybit::vm {

using layout::Swizzle;

namespace {

/// What happens to the tile of one alloc_shared.
struct TileUse {
  std::vector<layout::TileTraffic> accesses;
  bool is_copied_to = false;        // By copy_async.
  bool is_bulk = false;             // Copied by the tensor memory accelerator.
  std::optional<Swizzle> required;  // By wgmma.
};

class TrafficCounter {
 public:
  TrafficCounter(const Program& program, const SharedPlan& plan) : program_(program), plan_(plan) {}

  Result<std::map<ValueId, TileUse>> run() {
    Status status;
    for_each_statement(program_.body, [&](const Statement& s) {
      if (status && s.kind == StatementKind::kInstruction) status = visit(s.instruction);
    });
    if (!status) return tl::make_unexpected(status.error());
    return std::move(traffic_);
  }

 private:
  Status visit(const Instruction& instruction) {
    const auto& operands = instruction.operands;
    switch (instruction.opcode) {
      case Opcode::kLoadShared: note(operands[0], instruction.result); return {};
      case Opcode::kStoreShared: note(operands[0], operands[1]); return {};
      case Opcode::kCopyAsync: tile(operands[0]).is_copied_to = true; return {};
      case Opcode::kCopyBulk: tile(operands[0]).is_bulk = true; return {};
      case Opcode::kStoreBulk: tile(operands[1]).is_bulk = true; return {};
      case Opcode::kWgmma: return require(instruction);
      default: return {};
    }
  }

  TileUse& tile(ValueId shared) { return traffic_[plan_.view(shared).storage]; }

  void note(ValueId shared, ValueId register_tile) {
    tile(shared).accesses.push_back(
        {&*program_.type_of(register_tile).register_layout, plan_.view(shared).strides});
  }

  /// Operands of wgmma lie as the tensor cores read them.
  Status require(const Instruction& instruction) {
    const InstructionView view{program_, instruction, program_.num_threads()};
    ANYBIT_ASSIGN(const WgmmaPlan wgmma,
                  plan_wgmma(view, *view.operand(kWgmmaSum).register_layout));
    for (const size_t i : {kWgmmaA, kWgmmaB}) {
      if (view.operand(i).space != MemorySpace::kShared) continue;
      const ValueId id = instruction.operands[i];
      const Result<WgmmaOperand> operand = shared_wgmma_operand(view, wgmma, i, plan_.view(id));
      if (!operand) {
        return with_context(operand.error(), fmt::format("wgmma: %{}", program_.values[id].name));
      }
      ANYBIT_TRY(require(plan_.view(id).storage, *operand));
    }
    return {};
  }

  Status require(ValueId storage, const WgmmaOperand& operand) {
    TileUse& tile = traffic_[storage];
    if (!tile.required) tile.required = operand.swizzle;
    const bool is_annotated = program_.type_of(storage).shared_layout.has_value();
    const Swizzle& found = is_annotated ? plan_.view(storage).swizzle : *tile.required;
    if (found == operand.swizzle) return {};
    return fail(ErrorCode::kUnsupported,
                "wgmma needs swizzle({}, {}, {}) of %{}, found swizzle({}, {}, {})",
                operand.swizzle.base, operand.swizzle.bits, operand.swizzle.shift,
                program_.values[storage].name, found.base, found.bits, found.shift);
  }

  const Program& program_;
  const SharedPlan& plan_;
  std::map<ValueId, TileUse> traffic_;
};

}  // namespace

Result<Program> choose_swizzles(Program program, std::vector<Remark>* remarks) {
  ANYBIT_ASSIGN(const SharedPlan plan, plan_shared_memory(program));
  ANYBIT_ASSIGN(const auto traffic, TrafficCounter(program, plan).run());
  std::map<ValueId, Swizzle> chosen;
  for_each_statement(program.body, [&](const Statement& s) {
    if (s.kind != StatementKind::kInstruction || s.instruction.opcode != Opcode::kAllocShared)
      return;
    const ValueId id = s.instruction.result;
    const TensorType& type = program.type_of(id);
    const auto found = traffic.find(id);
    if (type.shared_layout || found == traffic.end()) return;
    const TileUse& tile = found->second;
    const int bits = type.element.bits;
    const Swizzle swizzle =
        tile.required ? *tile.required
        : tile.is_bulk
            ? bulk_swizzle(bulk_span_bytes(type.shape, bits), bits)
            : layout::choose_swizzle(tile.accesses, bits, type.num_elements(), tile.is_copied_to)
                  .swizzle;
    if (swizzle.bits == 0) return;
    chosen[id] = swizzle;
    if (remarks == nullptr) return;
    const std::string why =
        tile.required  ? ", as wgmma reads it"
        : tile.is_bulk ? ", as bulk copies place it"
                       : fmt::format("; its {} accesses take {} cycles of a warp instead of {}",
                                     tile.accesses.size(),
                                     layout::with_swizzle(tile.accesses, bits, swizzle).wavefronts,
                                     layout::with_swizzle(tile.accesses, bits, {}).wavefronts);
    remarks->push_back({s.location.line, fmt::format("%{}: a swizzle of {} bits{}",
                                                     program.values[id].name, swizzle.bits, why)});
  });
  for (const auto& [id, swizzle] : chosen) {
    TensorType& type = program.type_of(id);
    ANYBIT_ASSIGN(type.shared_layout,
                  layout::row_major(layout::Dims(type.shape)).with_swizzle(swizzle));
  }
  return program;
}

}  // namespace anybit::vm
