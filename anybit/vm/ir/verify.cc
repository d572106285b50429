#include "anybit/vm/ir/verify.h"

#include <algorithm>
#include <set>
#include <unordered_map>

#include "anybit/layout/register_layout_text.h"
#include "anybit/layout/shared_layout.h"
#include "anybit/vm/ir/instruction_info.h"

namespace anybit::vm {
namespace {

bool is_identifier(std::string_view name) {
  const auto is_letter = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
  };
  return !name.empty() && name.size() <= kMaxNameLength && is_letter(name[0]) &&
         std::ranges::all_of(
             name, [&](char c) { return is_letter(c) || (c >= '0' && c <= '9') || c == '.'; });
}

/// What the text form reads as a literal.
bool is_literal_word(std::string_view name) {
  return name == "true" || name == "false" || name == "inf" || name == "nan";
}

Status check_operand_memory(const Program& program, ValueId id, const OperandInfo& info) {
  if (id == kNoValue) {
    if (info.is_optional) return {};
    return fail(ErrorCode::kInvalidArgument, "operand {} is missing", info.name);
  }
  const MemorySpace space = program.type_of(id).space;
  if (space != info.space && !(info.may_be_shared && space == MemorySpace::kShared)) {
    return fail(ErrorCode::kInvalidArgument, "operand {}: %{} is in {} memory, expected {}{}",
                info.name, program.values[id].name, memory_space_name(space),
                memory_space_name(info.space), info.may_be_shared ? " or shared" : "");
  }
  const bool is_barrier = program.type_of(id).element == kBarrierElement;
  if (is_barrier == info.is_barrier) return {};
  return fail(ErrorCode::kInvalidArgument, "operand {}: %{} holds {}, expected {}", info.name,
              program.values[id].name, is_barrier ? "barriers" : "data",
              is_barrier ? "data" : "barriers");
}

Status check_attribute_kind(const Attribute& attribute, const AttributeInfo& info) {
  if (attribute.index() == 0) {
    if (info.is_optional) return {};
    return fail(ErrorCode::kInvalidArgument, "{}= is missing", info.name);
  }
  constexpr size_t kAlternative[] = {1, 2, 1, 1, 3, 4, 5, 6};  // Of AttributeKind.
  if (attribute.index() != kAlternative[static_cast<size_t>(info.kind)]) {
    return fail(ErrorCode::kInvalidArgument, "{}= has the wrong kind of value", info.name);
  }
  const auto* element = std::get_if<numeric::ElementFormat>(&attribute);
  if (element != nullptr && *element == kBarrierElement) {
    return fail(ErrorCode::kInvalidArgument, "{}=: alloc_barrier makes tiles of barriers",
                info.name);
  }
  const int64_t* value = std::get_if<int64_t>(&attribute);
  const int64_t num_names =
      info.kind == AttributeKind::kFlag ? 2 : static_cast<int64_t>(info.names.size());
  if (value != nullptr && info.kind != AttributeKind::kInteger &&
      (*value < 0 || *value >= num_names)) {
    return fail(ErrorCode::kInvalidArgument, "{}= names nothing", info.name);
  }
  return {};
}

class Verifier {
 public:
  Verifier(const Program& program, VerifyStage stage)
      : program_(program),
        stage_(stage),
        value_state_(program.values.size()),
        variable_in_scope_(program.variables.size(), false),
        num_threads_(program.num_threads()) {}

  Status run() {
    ANYBIT_TRY(check_header());
    ANYBIT_TRY(check_block(program_.body));
    return check_registers();
  }

 private:
  struct ValueState {
    bool is_defined = false;
    bool in_scope = false;
    bool is_freed = false;
    int block = -1;              // Where it was defined.
    int thread_group = 0;        // Which `threads` it was defined in; 0: the CTA.
    ValueId storage = kNoValue;  // Of a shared tile: the alloc_shared that owns its bytes.
  };

  Status check_header() {
    if (!is_identifier(program_.name) || program_.name.find('.') != std::string::npos) {
      return fail(ErrorCode::kInvalidArgument, "kernel '{}': expected a name of letters, digits, _",
                  program_.name);
    }
    if (program_.num_warps < 1 || program_.num_warps > kMaxWarps) {
      return fail(ErrorCode::kInvalidArgument, "warps {}, expected 1 to {}", program_.num_warps,
                  kMaxWarps);
    }
    std::set<std::string_view> names;
    for (const Variable& variable : program_.variables) {
      if (!names.insert(variable.name).second) {
        return fail(ErrorCode::kInvalidArgument, "two scalars are named {}", variable.name);
      }
    }
    names.clear();
    for (const Variable& variable : program_.variables) {
      if (!is_identifier(variable.name) || is_literal_word(variable.name)) {
        return fail(ErrorCode::kInvalidArgument, "'{}' cannot name a scalar", variable.name);
      }
    }
    for (const Value& value : program_.values) {
      if (!is_identifier(value.name)) {
        return fail(ErrorCode::kInvalidArgument, "'{}' cannot name a tile", value.name);
      }
      if (!names.insert(value.name).second) {
        return fail(ErrorCode::kInvalidArgument, "two tiles are named %{}", value.name);
      }
    }
    for (VariableId id = 0; id < kNumBuiltins; ++id) variable_in_scope_[id] = false;
    for (const VariableId id : program_.parameters) variable_in_scope_[id] = true;
    if (program_.grid.empty() || program_.grid.size() > 3) {
      return fail(ErrorCode::kInvalidArgument, "a grid of {} extents, expected 1 to 3",
                  program_.grid.size());
    }
    for (const Expr& extent : program_.grid) {
      if (extent.type() != ScalarType::kI32 && extent.type() != ScalarType::kI64) {
        return fail(ErrorCode::kInvalidArgument, "a grid extent of type {}, expected i32 or i64",
                    scalar_type_name(extent.type()));
      }
      ANYBIT_TRY(check_expression(extent, "the grid, which may name only parameters"));
    }
    for (VariableId id = 0; id < kNumBuiltins; ++id) variable_in_scope_[id] = true;
    return check_cluster();
  }

  Status check_cluster() {
    if (program_.cluster.size() > program_.grid.size()) {
      return fail(ErrorCode::kInvalidArgument, "a cluster of {} extents in a grid of {}",
                  program_.cluster.size(), program_.grid.size());
    }
    int64_t size = 1;
    for (const int64_t extent : program_.cluster) {
      if (extent >= 1 && extent <= kMaxClusterSize) size *= extent;
      if (extent >= 1 && extent <= kMaxClusterSize && size <= kMaxClusterSize) continue;
      return fail(ErrorCode::kInvalidArgument, "a cluster {}, expected 1 to {} CTAs",
                  shape_text(program_.cluster), kMaxClusterSize);
    }
    return {};
  }

  /// Groups with register hints are the last statements of the kernel, with nothing but groups
  /// beside them: the threads of a warpgroup change together, and none goes on with fewer than its
  /// code needs. Each has a warpgroup, or several, to itself.
  Status check_registers() {
    size_t first = program_.body.size();
    while (first > 0 && program_.body[first - 1].kind == StatementKind::kThreads) --first;
    std::vector<int64_t> registers(
        static_cast<size_t>((program_.num_threads() + kWarpgroupSize - 1) / kWarpgroupSize),
        initial_registers(program_.num_threads()));
    std::vector<int> num_groups(registers.size(), 0);
    bool has_hints = false;
    Status status;
    for (size_t i = first; i < program_.body.size(); ++i) {
      const Statement& s = program_.body[i];
      for (int64_t g = s.first_thread / kWarpgroupSize;
           g <= (s.first_thread + s.num_threads - 1) / kWarpgroupSize; ++g) {
        ++num_groups[static_cast<size_t>(g)];
        if (s.num_registers > 0) registers[static_cast<size_t>(g)] = s.num_registers;
      }
    }
    for_each_statement(program_.body, [&](const Statement& s) {
      if (s.kind != StatementKind::kThreads || s.num_registers == 0 || !status) return;
      has_hints = true;
      const bool stands_last =
          &s >= program_.body.data() + first && &s < program_.body.data() + program_.body.size();
      status = check_hint(s, stands_last, num_groups);
    });
    if (!has_hints || !status) return status;
    int64_t total = 0;
    for (const int64_t each : registers) total += each * kWarpgroupSize;
    if (total <= kCtaRegisters) return {};
    return fail(ErrorCode::kInvalidArgument, "registers(): {} registers in all, a CTA has {}",
                total, kCtaRegisters);
  }

  Status check_hint(const Statement& s, bool stands_last, const std::vector<int>& num_groups) {
    const auto refuse = [&](std::string_view why) {
      return fail(ErrorCode::kInvalidArgument, "line {}: registers({}): {}", s.location.line,
                  s.num_registers, why);
    };
    if (s.num_registers % 8 != 0 || s.num_registers < 24 || s.num_registers > 248) {
      return refuse("expected a multiple of 8 from 24 to 248");
    }
    if (program_.num_threads() % kWarpgroupSize != 0) {
      return refuse("the CTA must consist of whole warpgroups of 4 warps");
    }
    if (!stands_last)
      return refuse("expected only groups of threads from here to the kernel's end");
    const int64_t first = s.first_thread / kWarpgroupSize;
    const int64_t last = (s.first_thread + s.num_threads - 1) / kWarpgroupSize;
    const bool is_whole =
        s.first_thread % kWarpgroupSize == 0 && s.num_threads % kWarpgroupSize == 0;
    if (!is_whole && first != last) return refuse("expected whole warpgroups, or a part of one");
    for (int64_t g = first; g <= last; ++g) {
      if (num_groups[static_cast<size_t>(g)] > 1) {
        return refuse("another group of threads has warps of the same warpgroup");
      }
    }
    return {};
  }

  Status check_expression(const Expr& expr, std::string_view where) {
    if (expr.depth() > kMaxExprDepth) {
      return fail(ErrorCode::kInvalidArgument, "an expression of {} levels, expected at most {}",
                  expr.depth(), kMaxExprDepth);
    }
    std::string missing;
    for_each_variable(expr, [&](VariableId id) {
      if (!variable_in_scope_[id]) missing = program_.variables[id].name;
    });
    if (missing.empty()) return {};
    return fail(ErrorCode::kInvalidArgument, "{} is not defined in {}", missing, where);
  }

  Status check_block(const Block& block) {
    const int outer_block = block_;
    block_ = ++num_blocks_;
    std::vector<ValueId> values;
    std::vector<VariableId> variables;
    for (const Statement& statement : block) {
      if (Status status = check_statement(statement, values, variables); !status) {
        if (statement.location.line == 0) return status;
        if (status.error().message.starts_with("line ")) return status;
        return with_context(status.error(), fmt::format("line {}", statement.location.line));
      }
    }
    for (const ValueId id : values) value_state_[id].in_scope = false;
    for (const VariableId id : variables) variable_in_scope_[id] = false;
    block_ = outer_block;
    return {};
  }

  Status check_statement(const Statement& s, std::vector<ValueId>& values,
                         std::vector<VariableId>& variables) {
    for (const Expr& expr : s.expressions) ANYBIT_TRY(check_expression(expr, "this scope"));
    switch (s.kind) {
      case StatementKind::kInstruction: return check_instruction(s.instruction, values);
      case StatementKind::kLet:
      case StatementKind::kVar: return define_variable(s, variables);
      case StatementKind::kSet: return check_set(s);
      case StatementKind::kAssume: return check_type(s.expressions[0], ScalarType::kBool, "assume");
      case StatementKind::kFor: return check_for(s);
      case StatementKind::kWhile:
        ANYBIT_TRY(check_type(s.expressions[0], ScalarType::kBool, "while"));
        return check_loop_body(s.body);
      case StatementKind::kIf:
        ANYBIT_TRY(check_type(s.expressions[0], ScalarType::kBool, "if"));
        ANYBIT_TRY(check_block(s.body));
        return check_block(s.else_body);
      case StatementKind::kBreak:
        if (loop_depth_ > 0) return {};
        return fail(ErrorCode::kInvalidArgument, "break outside a loop");
      case StatementKind::kThreads: return check_threads(s);
    }
    return {};
  }

  Status check_type(const Expr& expr, ScalarType type, std::string_view what) {
    if (expr.type() == type) return {};
    return fail(ErrorCode::kInvalidArgument, "{}: expected {}, found {}", what,
                scalar_type_name(type), scalar_type_name(expr.type()));
  }

  Status define_variable(const Statement& s, std::vector<VariableId>& variables) {
    const Variable& variable = program_.variables[s.variable];
    if (variable_in_scope_[s.variable] || !defined_variables_.insert(s.variable).second) {
      return fail(ErrorCode::kInvalidArgument, "{} is defined twice", variable.name);
    }
    ANYBIT_TRY(check_type(s.expressions[0], variable.type, variable.name));
    variable_in_scope_[s.variable] = true;
    variable_group_[s.variable] = thread_group_;
    variables.push_back(s.variable);
    return {};
  }

  Status check_set(const Statement& s) {
    const Variable& variable = program_.variables[s.variable];
    if (!variable_in_scope_[s.variable] || variable.role != VariableRole::kMutable) {
      return fail(ErrorCode::kInvalidArgument, "set {}: no var of that name in this scope",
                  variable.name);
    }
    if (variable_group_[s.variable] != thread_group_) {
      return fail(ErrorCode::kInvalidArgument,
                  "set {}: only some threads would change a scalar that all share", variable.name);
    }
    return check_type(s.expressions[0], variable.type, variable.name);
  }

  Status check_for(const Statement& s) {
    const Variable& variable = program_.variables[s.variable];
    for (const Expr& bound : s.expressions) ANYBIT_TRY(check_type(bound, variable.type, "for"));
    if (const auto step = s.expressions[2].as_integer(); !step || *step <= 0) {
      return fail(ErrorCode::kInvalidArgument, "for: the step must be a positive literal");
    }
    if (s.num_stages < 0 || s.num_stages > 8) {
      return fail(ErrorCode::kInvalidArgument, "for: {} stages, expected 1 to 8", s.num_stages);
    }
    if (!defined_variables_.insert(s.variable).second) {
      return fail(ErrorCode::kInvalidArgument, "{} is defined twice", variable.name);
    }
    variable_in_scope_[s.variable] = true;
    ANYBIT_TRY(check_loop_body(s.body));
    variable_in_scope_[s.variable] = false;
    return {};
  }

  Status check_loop_body(const Block& body) {
    ++loop_depth_;
    ANYBIT_TRY(check_block(body));
    --loop_depth_;
    return {};
  }

  Status check_threads(const Statement& s) {
    if (thread_group_ != 0) {
      return fail(ErrorCode::kInvalidArgument, "threads inside threads");
    }
    if (s.first_thread < 0 || s.num_threads <= 0 || s.first_thread % kWarpSize != 0 ||
        s.num_threads % kWarpSize != 0 || s.first_thread > program_.num_threads() - s.num_threads) {
      return fail(ErrorCode::kInvalidArgument,
                  "threads({}, {}): expected whole warps of the CTA's {} threads", s.first_thread,
                  s.num_threads, program_.num_threads());
    }
    const int64_t outer_threads = num_threads_;
    const int outer_loops = loop_depth_;
    num_threads_ = s.num_threads;
    first_thread_ = s.first_thread;
    loop_depth_ = 0;  // A break may not leave the group.
    thread_group_ = ++num_groups_;
    ANYBIT_TRY(check_block(s.body));
    thread_group_ = 0;
    loop_depth_ = outer_loops;
    num_threads_ = outer_threads;
    first_thread_ = 0;
    return {};
  }

  Status check_instruction(const Instruction& instruction, std::vector<ValueId>& values) {
    const InstructionInfo& info = instruction_info(instruction.opcode);
    Status status = check_shape_of(instruction, info);
    if (status) status = check_instruction_types(instruction, info);
    if (status && instruction.result != kNoValue) status = check_layout_of(instruction.result);
    if (status && stage_ == VerifyStage::kWithLayouts) status = check_layouts(instruction, info);
    if (!status) return with_context(status.error(), info.name);
    if (instruction.opcode == Opcode::kFreeShared) ANYBIT_TRY(free_shared(instruction));
    if (instruction.result == kNoValue) return {};
    ValueState& state = value_state_[instruction.result];
    state.is_defined = state.in_scope = true;
    state.block = block_;
    state.thread_group = thread_group_;
    if (program_.type_of(instruction.result).space == MemorySpace::kShared) {
      state.storage = instruction.operands.empty() ? instruction.result
                                                   : value_state_[instruction.operands[0]].storage;
    }
    values.push_back(instruction.result);
    return {};
  }

  /// The signature; that operands are in scope, and the result is new.
  Status check_shape_of(const Instruction& instruction, const InstructionInfo& info) {
    ANYBIT_TRY(check_signature(program_, instruction));
    for (size_t i = 0; i < info.operands.size(); ++i) {
      if (instruction.operands[i] != kNoValue) ANYBIT_TRY(check_operand(instruction.operands[i]));
    }
    for (const Attribute& attribute : instruction.attributes) {
      if (const Expr* expr = std::get_if<Expr>(&attribute)) {
        ANYBIT_TRY(check_expression(*expr, "this scope"));
      } else if (const auto* exprs = std::get_if<std::vector<Expr>>(&attribute)) {
        for (const Expr& expr : *exprs) ANYBIT_TRY(check_expression(expr, "this scope"));
      }
    }
    if (instruction.result != kNoValue && value_state_[instruction.result].is_defined) {
      return fail(ErrorCode::kInvalidArgument, "%{} is defined twice",
                  program_.values[instruction.result].name);
    }
    if (instruction.opcode == Opcode::kAllocBarrier && (block_ != 1 || thread_group_ != 0)) {
      return fail(ErrorCode::kInvalidArgument,
                  "barriers live as long as the kernel: it stands in its outermost block");
    }
    if ((info.effects & kBarrier) != 0 && instruction.opcode != Opcode::kSync &&
        thread_group_ != 0) {
      return fail(ErrorCode::kInvalidArgument,
                  "every thread of the CTA must reach it, but it stands inside threads");
    }
    return {};
  }

  Status check_operand(ValueId id) {
    const ValueState& state = value_state_[id];
    const std::string& name = program_.values[id].name;
    if (!state.in_scope) {
      return fail(ErrorCode::kInvalidArgument, "%{} is not defined in this scope", name);
    }
    const MemorySpace space = program_.type_of(id).space;
    if (space == MemorySpace::kRegister && state.thread_group != thread_group_) {
      return fail(ErrorCode::kInvalidArgument,
                  "%{} is held by the threads outside; pass it through shared memory", name);
    }
    if (space == MemorySpace::kShared && value_state_[state.storage].is_freed) {
      return fail(ErrorCode::kInvalidArgument, "%{} is used after free_shared(%{})", name,
                  program_.values[state.storage].name);
    }
    return {};
  }

  Status check_instruction_types(const Instruction& instruction, const InstructionInfo& info) {
    const InstructionView view{program_, instruction, num_threads_, first_thread_};
    ANYBIT_ASSIGN(const std::optional<TensorType> inferred, info.infer_type(view));
    if (!inferred) return {};
    const TensorType& declared = view.result();
    if (declared.space == inferred->space && declared.element == inferred->element &&
        declared.shape == inferred->shape && declared.extents == inferred->extents &&
        declared.strides == inferred->strides) {
      return {};
    }
    return fail(ErrorCode::kInvalidArgument, "the result is {} {} {}, but is declared {} {} {}",
                memory_space_name(inferred->space), tile_element_name(inferred->element),
                shape_text(inferred->shape), memory_space_name(declared.space),
                tile_element_name(declared.element), shape_text(declared.shape));
  }

  Status check_layout_of(ValueId id) {
    const Value& value = program_.values[id];
    if (value.type.space == MemorySpace::kShared) {
      const auto& shared = value.type.shared_layout;
      if (shared && !(shared->shape() == layout::Dims(value.type.shape))) {
        return fail(ErrorCode::kInvalidArgument, "%{} of shape {} has a layout of shape {}",
                    value.name, shape_text(value.type.shape), to_string(shared->shape()));
      }
      return {};
    }
    if (value.type.space != MemorySpace::kRegister) return {};
    const auto& held = value.type.register_layout;
    if (!held && stage_ == VerifyStage::kBeforeLayouts) return {};
    if (!held) return fail(ErrorCode::kInvalidArgument, "%{} has no layout", value.name);
    if (!(held->shape() == layout::Dims(value.type.shape)) || held->num_threads() != num_threads_) {
      return fail(ErrorCode::kInvalidArgument,
                  "%{} of shape {} over {} threads has a layout of shape {} over {}", value.name,
                  shape_text(value.type.shape), num_threads_, to_string(held->shape()),
                  held->num_threads());
    }
    return {};
  }

  Status check_layouts(const Instruction& instruction, const InstructionInfo& info) {
    const InstructionView view{program_, instruction, num_threads_};
    for (size_t i = 0; i < instruction.operands.size(); ++i) {
      if (instruction.operands[i] == kNoValue || !info.required_layout) continue;
      if (view.operand(i).space != MemorySpace::kRegister) continue;
      const auto required = info.required_layout(view, i);
      if (required && !(*required == *view.operand(i).register_layout)) {
        return fail(ErrorCode::kInvalidArgument, "%{} is laid out as {}, expected {}",
                    program_.values[instruction.operands[i]].name,
                    layout::to_string(*view.operand(i).register_layout),
                    layout::to_string(*required));
      }
    }
    return info.check_layouts ? info.check_layouts(view) : Status();
  }

  Status free_shared(const Instruction& instruction) {
    const ValueId id = instruction.operands[0];
    ValueState& state = value_state_[id];
    if (state.storage != id) {
      return fail(ErrorCode::kInvalidArgument,
                  "free_shared(%{}): a part of %{}, which is to be freed", program_.values[id].name,
                  program_.values[state.storage].name);
    }
    if (state.block != block_) {
      return fail(ErrorCode::kInvalidArgument,
                  "free_shared(%{}) stands in another block than its alloc_shared",
                  program_.values[id].name);
    }
    state.is_freed = true;
    return {};
  }

  const Program& program_;
  const VerifyStage stage_;
  std::vector<ValueState> value_state_;
  std::vector<bool> variable_in_scope_;
  std::unordered_map<VariableId, int> variable_group_;
  std::set<VariableId> defined_variables_;
  int64_t num_threads_, first_thread_ = 0;
  int block_ = 0, num_blocks_ = 0;
  int thread_group_ = 0, num_groups_ = 0;
  int loop_depth_ = 0;
};

}  // namespace

Status check_signature(const Program& program, const Instruction& instruction) {
  const InstructionInfo& info = instruction_info(instruction.opcode);
  if (instruction.operands.size() != info.operands.size() ||
      instruction.attributes.size() != info.attributes.size()) {
    return fail(ErrorCode::kInvalidArgument, "{} operands and {} attributes, expected {} and {}",
                instruction.operands.size(), instruction.attributes.size(), info.operands.size(),
                info.attributes.size());
  }
  for (size_t i = 0; i < info.operands.size(); ++i) {
    ANYBIT_TRY(check_operand_memory(program, instruction.operands[i], info.operands[i]));
  }
  for (size_t i = 0; i < info.attributes.size(); ++i) {
    ANYBIT_TRY(check_attribute_kind(instruction.attributes[i], info.attributes[i]));
  }
  const bool has_result = instruction.result != kNoValue;
  if (info.result == ResultKind::kOptional || has_result == (info.result == ResultKind::kAlways)) {
    return {};
  }
  return fail(ErrorCode::kInvalidArgument, "expected {} result", has_result ? "no" : "a");
}

Status verify(const Program& program, VerifyStage stage) { return Verifier(program, stage).run(); }

}  // namespace anybit::vm
