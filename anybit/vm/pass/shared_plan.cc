#include "anybit/vm/pass/shared_plan.h"

#include <algorithm>
#include <bit>
#include <map>
#include <set>

#include "anybit/vm/ir/instruction_info.h"
#include "anybit/vm/ir/wgmma.h"

namespace anybit::vm {

namespace {

constexpr int64_t kAlignment = 128;  // Bytes; of every allocation, at least.
constexpr int64_t kPeriod = 1024;    // Of those that bulk copies and wgmma use: of swizzles.

std::vector<int64_t> row_major(const std::vector<int64_t>& shape) {
  std::vector<int64_t> strides(shape.size(), 1);
  for (size_t d = shape.size() - 1; d > 0; --d) strides[d - 1] = strides[d] * shape[d];
  return strides;
}

class Planner {
 public:
  explicit Planner(const Program& program) : program_(program) {}

  Result<SharedPlan> run() {
    plan_.views.resize(program_.values.size());
    number(program_.body);
    Status status;
    for_each_statement(program_.body, [&](const Statement& s) {
      if (status && s.kind == StatementKind::kInstruction) status = visit(s.instruction);
    });
    if (!status) return tl::make_unexpected(status.error());
    place();
    for (SharedView& view : plan_.views) {
      if (view.storage == kNoValue) continue;
      view.byte_offset = plan_.view(view.storage).byte_offset;
      view.swizzle = plan_.view(view.storage).swizzle;
    }
    return std::move(plan_);
  }

 private:
  struct Life {
    int64_t begin = 0;
    int64_t end = INT64_MAX;
  };

  /// Positions of allocations and frees in program order.
  void number(const Block& block) {
    for_each_statement(block, [&](const Statement& s) {
      ++position_;
      if (s.kind != StatementKind::kInstruction) return;
      if (s.instruction.opcode == Opcode::kAllocShared) {
        lives_[s.instruction.result].begin = position_;
      } else if (s.instruction.opcode == Opcode::kAllocBarrier) {
        lives_[s.instruction.result].begin = 0;  // They are made when the kernel begins.
      } else if (s.instruction.opcode == Opcode::kFreeShared) {
        lives_[s.instruction.operands[0]].end = position_;
      }
    });
  }

  Status visit(const Instruction& instruction) {
    switch (instruction.opcode) {
      case Opcode::kAllocBarrier:
      case Opcode::kAllocShared: return allocate(instruction.result);
      case Opcode::kSliceShared: return slice(instruction);
      case Opcode::kReshapeShared: return reshape(instruction);
      case Opcode::kPermuteShared: {
        SharedView view = plan_.view(instruction.operands[0]);
        const auto& dims = std::get<std::vector<int64_t>>(instruction.attributes[0]);
        for (size_t d = 0; d < dims.size(); ++d) {
          view.strides[d] = plan_.view(instruction.operands[0]).strides[dims[d]];
        }
        plan_.views[instruction.result] = std::move(view);
        return {};
      }
      case Opcode::kWgmma:
        for (const size_t i : {kWgmmaA, kWgmmaB}) {
          const ValueId id = instruction.operands[i];
          if (program_.type_of(id).space != MemorySpace::kShared) continue;
          periodic_.insert(plan_.view(id).storage);
        }
        return {};
      case Opcode::kCopyBulk:
        periodic_.insert(plan_.view(instruction.operands[0]).storage);
        return {};
      case Opcode::kStoreBulk:
        periodic_.insert(plan_.view(instruction.operands[1]).storage);
        return {};
      default: return {};
    }
  }

  Status allocate(ValueId id) {
    const TensorType& type = program_.type_of(id);
    SharedView& view = plan_.views[id];
    view.storage = id;
    view.strides = row_major(type.shape);
    if (type.shared_layout) ANYBIT_TRY(take_annotation(*type.shared_layout, type, view));
    allocations_.push_back(id);
    return {};
  }

  static Status take_annotation(const layout::SharedLayout& annotated, const TensorType& type,
                                SharedView& view) {
    std::vector<int> modes_of(type.shape.size(), 0);
    for (const layout::SharedMode& mode : annotated.modes()) {
      view.strides[static_cast<size_t>(mode.dim)] = mode.stride;
      ++modes_of[static_cast<size_t>(mode.dim)];
    }
    if (annotated.base_offset() != 0 ||
        std::any_of(modes_of.begin(), modes_of.end(), [](int count) { return count > 1; })) {
      return fail(ErrorCode::kUnsupported,
                  "a shared tile whose dimensions have several strides: {}",
                  layout::to_string(annotated));
    }
    view.swizzle = annotated.swizzle();
    return {};
  }

  Status slice(const Instruction& instruction) {
    SharedView view = plan_.view(instruction.operands[0]);
    const auto& offset = std::get<std::vector<Expr>>(instruction.attributes[0]);
    for (size_t d = 0; d < offset.size(); ++d) {
      if (offset[d].is_integer(0)) continue;
      view.offsets.emplace_back(offset[d], view.strides[d]);
    }
    plan_.views[instruction.result] = std::move(view);
    return {};
  }

  /// Splits and merges dimensions where the strides allow: dimensions of both shapes are matched
  /// from the right in groups of equal size.
  Status reshape(const Instruction& instruction) {
    const TensorType& from = program_.type_of(instruction.operands[0]);
    const TensorType& to = program_.type_of(instruction.result);
    SharedView view = plan_.view(instruction.operands[0]);
    const std::vector<int64_t> old_strides = view.strides;
    view.strides.assign(to.shape.size(), 1);
    size_t f = from.shape.size(), t = to.shape.size();
    while (f > 0 || t > 0) {
      // One group: dimensions [f0, f) hold as many elements as [t0, t).
      const size_t f_end = f, t_end = t;
      int64_t f_size = 1, t_size = 1;
      do {
        if (f > 0 && (f_size <= t_size || t == 0)) {
          f_size *= from.shape[--f];
        } else {
          t_size *= to.shape[--t];
        }
      } while (f_size != t_size);
      int64_t unit = 1;
      for (size_t d = f_end; d-- > f;) {
        if (from.shape[d] != 1) {
          unit = old_strides[d];
          break;
        }
      }
      int64_t expected = unit;
      for (size_t d = f_end; d-- > f;) {
        if (from.shape[d] != 1 && old_strides[d] != expected) {
          return fail(ErrorCode::kUnsupported, "reshape_shared {} to {} under strides {}",
                      shape_text(from.shape), shape_text(to.shape), shape_text(old_strides));
        }
        expected *= from.shape[d];
      }
      for (size_t d = t_end; d-- > t;) {
        view.strides[d] = unit;
        unit *= to.shape[d];
      }
    }
    plan_.views[instruction.result] = std::move(view);
    return {};
  }

  int64_t size_bytes(ValueId id) const {
    const TensorType& type = program_.type_of(id);
    const SharedView& view = plan_.view(id);
    int64_t last = 0;
    for (size_t d = 0; d < type.shape.size(); ++d) last += (type.shape[d] - 1) * view.strides[d];
    const int64_t block =
        view.swizzle.bits == 0 ? 1 : int64_t{1} << (view.swizzle.base + view.swizzle.bits);
    const int64_t elements = (last / block + 1) * block;
    return (elements * type.element.bits + 7) / 8;
  }

  int64_t alignment_of(ValueId id) const {
    const bool is_periodic = periodic_.contains(id);
    return is_periodic ? kPeriod : kAlignment;
  }

  /// First fit in program order among allocations that live at the same time.
  void place() {
    std::vector<ValueId> placed;
    for (const ValueId id : allocations_) {
      const int64_t size = size_bytes(id);
      std::vector<std::pair<int64_t, int64_t>> taken;
      for (const ValueId other : placed) {
        const Life &a = lives_[id], &b = lives_[other];
        if (a.begin > b.end || b.begin > a.end) continue;
        taken.emplace_back(plan_.view(other).byte_offset,
                           plan_.view(other).byte_offset + size_bytes(other));
      }
      std::sort(taken.begin(), taken.end());
      const int64_t alignment = alignment_of(id);
      int64_t offset = 0;
      for (const auto& [begin, end] : taken) {
        if (offset + size <= begin) break;
        offset = std::max(offset, (end + alignment - 1) / alignment * alignment);
      }
      plan_.views[id].byte_offset = offset;
      plan_.total_bytes = std::max(plan_.total_bytes, offset + size);
      placed.push_back(id);
    }
    plan_.total_bytes = (plan_.total_bytes + kAlignment - 1) / kAlignment * kAlignment;
  }

  const Program& program_;
  SharedPlan plan_;
  std::vector<ValueId> allocations_;
  std::map<ValueId, Life> lives_;
  std::set<ValueId> periodic_;  // Allocations that bulk copies and wgmma use.
  int64_t position_ = 0;
};

}  // namespace

Result<WgmmaOperand> shared_wgmma_operand(const InstructionView& view, const WgmmaPlan& plan,
                                          size_t operand, const SharedView& shared) {
  const bool is_a = operand == kWgmmaA;
  return wgmma_operand(*plan.atom, shared.strides[is_a ? 0 : 1], shared.strides[is_a ? 1 : 0],
                       is_a ? kWgmmaRows : plan.n, view.operand(kWgmmaB).shape[0]);
}

int bulk_span_bytes(const std::vector<int64_t>& shape, int bits) {
  const int64_t row_bytes = shape.back() * bits / 8;
  return row_bytes == 128 || row_bytes == 64 || row_bytes == 32 ? static_cast<int>(row_bytes) : 0;
}

layout::Swizzle bulk_swizzle(int span_bytes, int bits) {
  if (span_bytes == 0) return {};
  constexpr int kChunkBits = 128, kLineChunks = 8;  // Lines of 128 bytes, chunks of 16.
  return {std::countr_zero(static_cast<unsigned>(kChunkBits / bits)),
          std::countr_zero(static_cast<unsigned>(span_bytes / 16)),
          std::countr_zero(static_cast<unsigned>(kLineChunks))};
}

Result<int> bulk_box_span(const SharedView& view, const std::vector<int64_t>& shape, int bits) {
  const std::vector<int64_t> dense = row_major(shape);
  for (size_t d = 0; d < shape.size(); ++d) {
    if (shape[d] == 1 || view.strides[d] == dense[d]) continue;
    return fail(ErrorCode::kUnsupported,
                "a tile {} under strides {}: bulk copies need row-major tiles without gaps",
                shape_text(shape), shape_text(view.strides));
  }
  for (const int span : {0, 32, 64, 128}) {
    if (!(view.swizzle == bulk_swizzle(span, bits))) continue;
    if (span > 0 && shape.back() * bits / 8 > span) {
      return fail(ErrorCode::kUnsupported, "rows of {} bytes under a swizzle of {}",
                  shape.back() * bits / 8, span);
    }
    return span;
  }
  return fail(ErrorCode::kUnsupported, "swizzle({},{},{}) is none of the TMA's", view.swizzle.base,
              view.swizzle.bits, view.swizzle.shift);
}

Result<SharedPlan> plan_shared_memory(const Program& program) { return Planner(program).run(); }

}  // namespace anybit::vm
