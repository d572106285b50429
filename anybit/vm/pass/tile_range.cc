#include "anybit/vm/pass/tile_range.h"

#include <algorithm>

#include "anybit/vm/ir/element.h"
#include "anybit/vm/ir/instruction_info.h"
#include "anybit/vm/ir/operators.h"

namespace anybit::vm {
namespace {

/// All values of an element of integers.
TileRange of_element(const numeric::ElementFormat& element) {
  const bool is_signed = element.kind == numeric::ElementKind::kInt;
  const int64_t count = int64_t{1} << (element.bits - (is_signed ? 1 : 0));
  return {is_signed ? -count : 0, count - 1};
}

bool contains(const TileRange& outer, const TileRange& inner) {
  return outer.low <= inner.low && inner.high <= outer.high;
}

TileRange product(const TileRange& a, const TileRange& b) {
  const auto [low, high] =
      std::minmax({a.low * b.low, a.low * b.high, a.high * b.low, a.high * b.high});
  return {low, high};
}

/// Whether products of two such ranges fit 64 bits.
bool has_32_bits(const TileRange& range) {
  return range.low >= INT32_MIN && range.high <= INT32_MAX;
}

}  // namespace

TileRanges::TileRanges(const Program& program) : ranges_(program.values.size()) {
  std::vector<bool> is_changed(program.values.size());
  for_each_statement(program.body, [&](const Statement& statement) {
    const Instruction& instruction = statement.instruction;
    if (statement.kind == StatementKind::kInstruction &&
        (instruction_info(instruction.opcode).effects & kWritesRegister) != 0) {
      is_changed[static_cast<size_t>(instruction.operands[0])] = true;
    }
  });
  for_each_statement(program.body, [&](const Statement& statement) {
    const ValueId result = statement.instruction.result;
    if (statement.kind != StatementKind::kInstruction || result == kNoValue) return;
    const TensorType& type = program.type_of(result);
    if (type.space != MemorySpace::kRegister || !is_integer_element(type.element)) return;
    const TileRange all = of_element(type.element);
    const auto index = static_cast<size_t>(result);
    const TileRange found = is_changed[index] ? all : computed(program, statement.instruction);
    ranges_[index] = contains(all, found) ? found : all;  // Beyond the element, it wraps.
  });
}

TileRange TileRanges::computed(const Program& program, const Instruction& instruction) const {
  const TensorType& result = program.type_of(instruction.result);
  const TileRange all = of_element(result.element);
  const InstructionView view{program, instruction, 0};
  const auto operand = [&](size_t i) { return range(instruction.operands[i]); };
  switch (instruction.opcode) {
    case Opcode::kCast: {
      if (!is_integer_element(view.operand(0).element)) return all;
      const TileRange from = operand(0);
      return {std::clamp(from.low, all.low, all.high), std::clamp(from.high, all.low, all.high)};
    }
    case Opcode::kFull: {
      const auto value = view.attribute<Expr>(2).as_integer();
      return value ? TileRange{*value, *value} : all;
    }
    case Opcode::kIota: return {0, result.shape[static_cast<size_t>(view.integer(1))] - 1};
    case Opcode::kReshape:
    case Opcode::kPermute:
    case Opcode::kConvertLayout: return operand(0);
    case Opcode::kSelect: {
      const TileRange a = operand(1), b = operand(2);
      return {std::min(a.low, b.low), std::max(a.high, b.high)};
    }
    case Opcode::kBinary: {
      const TileRange a = operand(0), b = operand(1);
      switch (static_cast<BinaryOp>(view.integer(0))) {
        case BinaryOp::kAdd: return {a.low + b.low, a.high + b.high};
        case BinaryOp::kSub: return {a.low - b.high, a.high - b.low};
        case BinaryOp::kMul: return has_32_bits(a) && has_32_bits(b) ? product(a, b) : all;
        case BinaryOp::kMin: return {std::min(a.low, b.low), std::min(a.high, b.high)};
        case BinaryOp::kMax: return {std::max(a.low, b.low), std::max(a.high, b.high)};
        default: return all;
      }
    }
    default: return all;
  }
}

}  // namespace anybit::vm
