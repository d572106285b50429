// A program of the tile VM: one kernel, written for one CTA over tiles. Built by builder.h or
// parsed from text (text/parse.h), checked by verify.h, run by the backends.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "anybit/vm/ir/expression.h"
#include "anybit/vm/ir/opcode.h"
#include "anybit/vm/ir/tensor_type.h"

namespace anybit::vm {

/// Index of a Value (a tile) in its Program.
using ValueId = int32_t;
inline constexpr ValueId kNoValue = -1;

/// Where a statement stands in the text it was parsed from; line 0: it was built.
struct SourceLocation {
  int line = 0;
  int column = 0;
};

enum class VariableRole : uint8_t {
  kBuiltin,    // block.x, block.y, block.z, grid.x, grid.y, grid.z, cluster.rank: i32.
  kParameter,  // Given at launch.
  kLet,        // Defined once.
  kMutable,    // `var`, changed by `set`.
  kLoop,       // Of a for loop; changed by the loop alone.
};

/// A scalar of the program.
struct Variable {
  std::string name;
  ScalarType type = ScalarType::kI32;
  VariableRole role = VariableRole::kLet;
};

/// Ids of the builtins, which every program has first in `variables`, in this order.
inline constexpr VariableId kBlockX = 0, kGridX = 3, kClusterRank = 6, kNumBuiltins = 7;

/// A tile of the program, defined by one instruction; registers may be changed by `assign`, `dot`
/// and other instructions that say so.
struct Value {
  std::string name;  // Without the %.
  TensorType type;
};

/// A constant part of an instruction; which alternative stands where is said by AttributeInfo.
/// Names (of an enumeration) are kept as the index into AttributeInfo::names; flags as 0 or 1.
using Attribute = std::variant<std::monostate, int64_t, std::vector<int64_t>, Expr,
                               std::vector<Expr>, numeric::ElementFormat, std::string>;

struct Instruction {
  Opcode opcode = Opcode::kSync;
  std::vector<ValueId> operands = {};      // In the order of InstructionInfo; kNoValue: left out.
  std::vector<Attribute> attributes = {};  // In the order of InstructionInfo.
  ValueId result = kNoValue;
};

enum class StatementKind : uint8_t {
  kInstruction,
  kLet,      // variable = expressions[0]
  kVar,      // variable = expressions[0], which `set` may change
  kSet,      // variable = expressions[0]
  kAssume,   // expressions[0] is true: analyses may use it; the reference backend checks it
  kFor,      // variable from expressions[0] below expressions[1] by the positive expressions[2]
  kWhile,    // while expressions[0]
  kIf,       // if expressions[0] body else else_body
  kBreak,    // Leaves the innermost for or while.
  kThreads,  // Threads [first_thread, first_thread + num_threads) alone execute body.
};

struct Statement;
using Block = std::vector<Statement>;

struct Statement {
  StatementKind kind = StatementKind::kInstruction;
  SourceLocation location = {};
  Instruction instruction = {};
  VariableId variable = -1;
  std::vector<Expr> expressions = {};
  bool unroll = false;        // kFor: unroll fully in generated code.
  int64_t num_stages = 0;     // kFor: pipeline with so many stages; 0: not marked.
  int64_t first_thread = 0;   // kThreads
  int64_t num_threads = 0;    // kThreads
  int64_t num_registers = 0;  // kThreads: a hint, how many a thread may use; 0: none.
  Block body = {};            // kFor, kWhile, kIf, kThreads
  Block else_body = {};       // kIf
};

/// Pre for backends: verify() has passed.
struct Program {
  std::string name;
  std::string comment;                 // Lines of documentation before the kernel.
  std::vector<Variable> variables;     // The builtins first.
  std::vector<VariableId> parameters;  // In the order of launch arguments.
  std::vector<Expr> grid;              // 1 to 3 extents, of parameters.
  std::vector<int64_t> cluster;        // CTAs in each dimension of the grid; empty: no clusters.
  int num_warps = 4;
  std::vector<Value> values;
  Block body;

  /// A program with its builtins and nothing else.
  static Program with_builtins(std::string name);
  int num_threads() const { return num_warps * 32; }
  /// CTAs of a cluster; 1 without clusters.
  int64_t cluster_size() const {
    int64_t size = 1;
    for (const int64_t extent : cluster) size *= extent;
    return size;
  }
  const TensorType& type_of(ValueId id) const { return values[id].type; }
  TensorType& type_of(ValueId id) { return values[id].type; }
  VariableId add_variable(std::string name, ScalarType type, VariableRole role);
  ValueId add_value(std::string name, TensorType type);
};

/// The most characters of the name of a kernel, scalar or tile.
inline constexpr size_t kMaxNameLength = 256;

/// Threads of one warp, and the most warps of a CTA.
inline constexpr int kWarpSize = 32, kMaxWarps = 32;

/// Threads of a warpgroup, the most CTAs of a cluster, and the registers of a CTA.
inline constexpr int kWarpgroupSize = 128, kMaxClusterSize = 8, kCtaRegisters = 65536;

/// Registers that each thread has when a kernel with register hints begins.
constexpr int64_t initial_registers(int64_t num_threads) {
  const int64_t share = kCtaRegisters / num_threads / 8 * 8;
  return share < 248 ? share : 248;
}

/// Calls visit(statement) for every statement, outer before inner, in program order.
template <class BlockType, class Visit>
void for_each_statement(BlockType& block, Visit&& visit) {
  for (auto& statement : block) {
    visit(statement);
    for_each_statement(statement.body, visit);
    for_each_statement(statement.else_body, visit);
  }
}

}  // namespace anybit::vm
