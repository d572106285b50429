// What every instruction says of itself: its operands, attributes and result, how it is verified
// and what it asks of layouts. The text form, the builder, the reference manual, the verifier and
// the passes all follow from these rows.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "anybit/base/result.h"
#include "anybit/vm/ir/program.h"

namespace anybit::vm {

struct OperandInfo {
  std::string_view name;
  MemorySpace space = MemorySpace::kRegister;
  bool is_optional = false;
  bool is_barrier = false;     // A tile of barriers; elsewhere those are refused.
  bool may_be_shared = false;  // A register tile or a shared one.
};

enum class AttributeKind : uint8_t {
  kInteger,   // int64_t: 3
  kIntegers,  // vector<int64_t>: [64, 32]
  kFlag,      // int64_t 0 or 1: true, false
  kName,      // int64_t, index into names: sum
  kExpr,      // Expr: k * 64
  kExprs,     // vector<Expr>: [k * 64, 0]
  kElement,   // ElementFormat: e3m2
  kText,      // string: "text"
};

struct AttributeInfo {
  std::string_view name;
  AttributeKind kind = AttributeKind::kInteger;
  bool is_optional = false;                      // Left out: std::monostate.
  std::span<const std::string_view> names = {};  // kName
};

/// What an instruction does besides giving a result; passes and the race detector rely on it.
enum Effects : uint32_t {
  kPure = 0,
  kReadsGlobal = 1,
  kWritesGlobal = 2,
  kReadsShared = 4,
  kWritesShared = 8,
  kWritesRegister = 16,  // Changes operand 0, a register tile.
  kBarrier = 32,         // Every thread of the CTA must reach it.
  kOther = 64,           // Output, waiting, allocation: never removed or moved.
};

enum class ResultKind : uint8_t { kNone, kAlways, kOptional };

/// An instruction with the program around it: how rules look at it.
struct InstructionView {
  const Program& program;
  const Instruction& instruction;
  int64_t num_threads;       // Of the threads that execute it.
  int64_t first_thread = 0;  // Of the CTA.

  bool has_operand(size_t i) const {
    return i < instruction.operands.size() && instruction.operands[i] != kNoValue;
  }
  const TensorType& operand(size_t i) const { return program.type_of(instruction.operands[i]); }
  /// The declared result type; its layout may be absent. Pre: there is a result.
  const TensorType& result() const { return program.type_of(instruction.result); }
  bool has_attribute(size_t i) const { return instruction.attributes[i].index() != 0; }
  template <class T>
  const T& attribute(size_t i) const {
    return std::get<T>(instruction.attributes[i]);
  }
  /// An integer, flag or name; `otherwise` if left out.
  int64_t integer(size_t i, int64_t otherwise = 0) const {
    return has_attribute(i) ? attribute<int64_t>(i) : otherwise;
  }
};

/// A layout that a rule gives to a register tile that has none.
struct LayoutProposal {
  ValueId value = kNoValue;
  layout::RegisterLayout layout;
  std::string_view rule;  // "the result of add is laid out as its first operand"
};

/// The order in which inference tries rules: those that leave least choice first.
enum class RulePriority : uint8_t {
  kFixed,     // Follows from what the instruction is: operands of dot.
  kForward,   // From operands to the result.
  kBackward,  // From the result to operands.
  kDefault,   // A sensible choice where nothing else says.
};

struct InstructionInfo {
  std::string_view name;
  std::string_view summary;  // One line.
  std::string_view details;  // Meaning, in Markdown: numerics, bounds, errors.
  std::string_view example;  // One statement of the text form.
  std::vector<OperandInfo> operands = {};
  std::vector<AttributeInfo> attributes = {};
  ResultKind result = ResultKind::kNone;
  uint32_t effects = kPure;

  /// Checks operands and attributes (their number and kinds are already right) and gives the type
  /// of the result, without a layout; nothing where there is no result.
  Result<std::optional<TensorType>> (*infer_type)(const InstructionView& view) = nullptr;

  /// Layouts this instruction suggests at `priority` for operands and result that have none, given
  /// those that are known. Null: no rule.
  std::vector<LayoutProposal> (*propose_layouts)(const InstructionView& view,
                                                 RulePriority priority) = nullptr;

  /// Whether the instruction can give a result of layout `layout`, which another one would like,
  /// with what is known of the operands' layouts. Null: any layout will do.
  bool (*accepts_result_layout)(const InstructionView& view,
                                const layout::RegisterLayout& layout) = nullptr;

  /// The layout that register operand i must have, once the result and the operands before it have
  /// theirs; nothing: any will do. Where another stands, a convert_layout is inserted.
  std::optional<layout::RegisterLayout> (*required_layout)(const InstructionView& view,
                                                           size_t operand) = nullptr;

  /// Checks layouts, all of them known and operands as required. Null: nothing to check.
  Status (*check_layouts)(const InstructionView& view) = nullptr;
};

/// The row of an instruction.
const InstructionInfo& instruction_info(Opcode opcode);

/// The instruction of that name, or of that unary, binary or comparison operator (`exp2`, `add`,
/// `less`): then `attribute` is the value of its attribute `op`.
struct NamedInstruction {
  Opcode opcode;
  std::optional<int64_t> op = std::nullopt;
};
std::optional<NamedInstruction> find_instruction(std::string_view name);

/// How `instruction` is called in text: the operator's name for unary, binary, compare.
std::string_view instruction_name(const Instruction& instruction);

/// Every opcode, in table order.
std::span<const Opcode> all_opcodes();

}  // namespace anybit::vm
