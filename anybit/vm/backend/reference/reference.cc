#include "anybit/vm/backend/reference/reference.h"

#include "anybit/base/check.h"
#include "anybit/vm/backend/reference/internal/execution.h"

namespace anybit::vm {
namespace reference {
namespace {

Status execute(Execution& execution, const InstructionView& view) {
  switch (view.instruction.opcode) {
#define ANYBIT_VM_INSTRUCTION(enumerator, name) \
  case Opcode::enumerator:                      \
    return execute_##name(execution, view);
#include "anybit/vm/ir/instructions.def"
#undef ANYBIT_VM_INSTRUCTION
  }
  ANYBIT_CHECK(false);
}

/// What comes after a statement.
enum class Flow : uint8_t { kNext, kBreak };

/// Walks the statements of one CTA.
class CtaRunner {
 public:
  CtaRunner(Launch& launch, std::span<const int64_t> block)
      : launch_(launch), execution_(launch, block) {}

  Status run() {
    ANYBIT_TRY(run_block(launch_.program.body));
    const Status ended = execution_.check_end();
    if (ended) return {};
    return with_context(ended.error(), fmt::format("CTA {}", block_text()));
  }

 private:
  Result<Flow> run_block(const Block& block) {
    for (size_t i = 0; i < block.size(); ++i) {
      size_t end = i;
      while (end < block.size() && block[end].kind == StatementKind::kThreads) ++end;
      if (end > i + 1) {
        ANYBIT_TRY(run_groups(std::span(block).subspan(i, end - i)));
        i = end - 1;
        continue;
      }
      ANYBIT_TRY(count_statement());
      ANYBIT_ASSIGN(const Flow flow, run_statement(block[i]));
      if (flow == Flow::kBreak) return Flow::kBreak;
    }
    return Flow::kNext;
  }

  Status count_statement() {
    if (--launch_.num_statements_left >= 0) return {};
    return fail(ErrorCode::kInvalidArgument, "more than {} statements executed",
                launch_.options.max_statements);
  }

  /// Groups of threads that stand side by side run at the same time; those that share threads, one
  /// after another.
  Status run_groups(std::span<const Statement> statements) {
    std::vector<ThreadGroup> groups;
    for (size_t i = 0; i < statements.size(); ++i) {
      const Statement& s = statements[i];
      ThreadGroup group;
      group.run = [this, body = &s.body]() -> Status {
        ANYBIT_TRY(count_statement());
        ANYBIT_TRY(run_block(*body));
        return {};
      };
      for (size_t j = 0; j < i; ++j) {
        const Statement& other = statements[j];
        if (other.first_thread < s.first_thread + s.num_threads &&
            s.first_thread < other.first_thread + other.num_threads) {
          group.after.push_back(j);
        }
      }
      groups.push_back(std::move(group));
    }
    ThreadGroups running(std::move(groups));
    execution_.groups = &running;
    const Status status = running.run([&](size_t i) {
      execution_.first_thread = statements[i].first_thread;
      execution_.num_threads = statements[i].num_threads;
    });
    execution_.groups = nullptr;
    execution_.first_thread = 0;
    execution_.num_threads = launch_.program.num_threads();
    return status;
  }

  std::string block_text() const {
    return shape_text({execution_.block().begin(), execution_.block().end()});
  }

  /// Errors of the statement itself get its place and name; those of its body have theirs.
  tl::unexpected<Error> located(const Statement& s, std::string_view name, const Error& error) {
    return with_context(error, fmt::format("{}: {} in CTA {}", place_text(launch_.places.at(&s)),
                                           name, block_text()));
  }

  Result<Flow> run_statement(const Statement& s) {
    switch (s.kind) {
      case StatementKind::kInstruction: return run_instruction(s);
      case StatementKind::kLet:
      case StatementKind::kVar:
      case StatementKind::kSet: {
        ANYBIT_ASSIGN(const ScalarValue value, scalar(s, 0, variable_name(s)));
        execution_.set_variable(s.variable, value);
        return Flow::kNext;
      }
      case StatementKind::kAssume: {
        ANYBIT_ASSIGN(const ScalarValue holds, scalar(s, 0, "assume"));
        if (holds.integer != 0) return Flow::kNext;
        return located(s, "assume", {ErrorCode::kInvalidArgument, "the condition is false"});
      }
      case StatementKind::kFor: return run_for(s);
      case StatementKind::kWhile: return run_while(s);
      case StatementKind::kIf: {
        ANYBIT_ASSIGN(const ScalarValue condition, scalar(s, 0, "if"));
        return run_block(condition.integer != 0 ? s.body : s.else_body);
      }
      case StatementKind::kBreak: return Flow::kBreak;
      case StatementKind::kThreads: return run_threads(s);
    }
    ANYBIT_CHECK(false);
  }

  std::string_view variable_name(const Statement& s) const {
    return launch_.program.variables[s.variable].name;
  }

  Result<ScalarValue> scalar(const Statement& s, size_t i, std::string_view name) {
    Result<ScalarValue> value = execution_.scalar(s.expressions[i]);
    if (!value) return located(s, name, value.error());
    return value;
  }

  Result<Flow> run_instruction(const Statement& s) {
    execution_.place = launch_.places.at(&s);
    const InstructionView view{launch_.program, s.instruction, execution_.num_threads};
    Status status = reference::check_wgmma_registers(execution_, view);
    if (status) status = execute(execution_, view);
    if (!status) {
      return located(s, instruction_name(s.instruction), status.error());
    }
    return Flow::kNext;
  }

  Result<Flow> run_for(const Statement& s) {
    ANYBIT_ASSIGN(const ScalarValue begin, scalar(s, 0, "for"));
    ANYBIT_ASSIGN(const ScalarValue end, scalar(s, 1, "for"));
    ANYBIT_ASSIGN(const ScalarValue step, scalar(s, 2, "for"));
    for (ScalarValue i = begin; i.integer < end.integer;) {
      execution_.set_variable(s.variable, i);
      ANYBIT_ASSIGN(const Flow flow, run_counted(s.body));
      if (flow == Flow::kBreak) break;
      if (__builtin_add_overflow(i.integer, step.integer, &i.integer)) break;
    }
    return Flow::kNext;
  }

  Result<Flow> run_while(const Statement& s) {
    while (true) {
      ANYBIT_ASSIGN(const ScalarValue condition, scalar(s, 0, "while"));
      if (condition.integer == 0) return Flow::kNext;
      ANYBIT_ASSIGN(const Flow flow, run_counted(s.body));
      if (flow == Flow::kBreak) return Flow::kNext;
    }
  }

  /// One round of a loop, which counts as a statement even if its body is empty.
  Result<Flow> run_counted(const Block& body) {
    ANYBIT_TRY(count_statement());
    return run_block(body);
  }

  Result<Flow> run_threads(const Statement& s) {
    execution_.first_thread = s.first_thread;
    execution_.num_threads = s.num_threads;
    ANYBIT_ASSIGN(const Flow flow, run_block(s.body));
    execution_.first_thread = 0;
    execution_.num_threads = launch_.program.num_threads();
    return flow;
  }

  Launch& launch_;
  Execution execution_;
};

Status take_argument(Launch& launch, size_t i, const LaunchArgument& argument) {
  const Variable& parameter = launch.program.variables[launch.program.parameters[i]];
  if (parameter.type == ScalarType::kPointer) {
    const auto* memory = std::get_if<std::span<std::byte>>(&argument.value);
    if (memory == nullptr) {
      return fail(ErrorCode::kInvalidArgument, "argument {}: expected memory, found a scalar",
                  parameter.name);
    }
    if (reinterpret_cast<uintptr_t>(memory->data()) % 16 != 0) {
      return fail(ErrorCode::kInvalidArgument, "argument {}: memory not aligned to 16 bytes",
                  parameter.name);
    }
    launch.regions.push_back({parameter.name, *memory});
    launch.arguments.push_back({ScalarType::kPointer, 0, 0, memory->data()});
    return {};
  }
  const auto* scalar = std::get_if<ScalarValue>(&argument.value);
  if (scalar == nullptr || scalar->type != parameter.type) {
    return fail(ErrorCode::kInvalidArgument, "argument {}: expected {}, found {}", parameter.name,
                scalar_type_name(parameter.type),
                scalar == nullptr ? "memory" : scalar_type_name(scalar->type));
  }
  launch.arguments.push_back(*scalar);
  return {};
}

Status prepare(Launch& launch, std::span<const LaunchArgument> arguments) {
  const Program& program = launch.program;
  if (arguments.size() != program.parameters.size()) {
    return fail(ErrorCode::kInvalidArgument, "{}: {} arguments, expected {}", program.name,
                arguments.size(), program.parameters.size());
  }
  for (size_t i = 0; i < arguments.size(); ++i) {
    ANYBIT_TRY(take_argument(launch, i, arguments[i]));
  }
  const Execution before(launch, std::vector<int64_t>{0, 0, 0});
  for (size_t d = 0; d < program.grid.size(); ++d) {
    ANYBIT_ASSIGN(launch.grid[d], before.integer(program.grid[d]));
    if (launch.grid[d] < 0 || launch.grid[d] > INT32_MAX) {
      return fail(ErrorCode::kInvalidArgument, "{}: a grid of {} CTAs in dimension {}",
                  program.name, launch.grid[d], d);
    }
    if (d < program.cluster.size() && launch.grid[d] % program.cluster[d] != 0) {
      return fail(ErrorCode::kInvalidArgument,
                  "{}: a grid of {} CTAs in dimension {} is no multiple of the cluster's {}",
                  program.name, launch.grid[d], d, program.cluster[d]);
    }
  }
  for (const Value& value : program.values) {
    const auto& held = value.type.register_layout;
    launch.tables.push_back(held ? std::make_shared<const LayoutTables>(*held) : nullptr);
  }
  int ordinal = 0;
  for_each_statement(program.body, [&](const Statement& statement) {
    ++ordinal;
    launch.places[&statement] = statement.location.line > 0 ? statement.location.line : -ordinal;
  });
  launch.num_statements_left = launch.options.max_statements;
  return {};
}

}  // namespace
}  // namespace reference

Status run_reference(const Program& program, std::span<const LaunchArgument> arguments,
                     const ReferenceOptions& options) {
  reference::Launch launch{program, options};
  ANYBIT_TRY(reference::prepare(launch, arguments));
  std::vector<int64_t> block(3);
  for (block[2] = 0; block[2] < launch.grid[2]; ++block[2]) {
    for (block[1] = 0; block[1] < launch.grid[1]; ++block[1]) {
      for (block[0] = 0; block[0] < launch.grid[0]; ++block[0]) {
        ANYBIT_TRY(reference::CtaRunner(launch, block).run());
      }
    }
  }
  return {};
}

}  // namespace anybit::vm
