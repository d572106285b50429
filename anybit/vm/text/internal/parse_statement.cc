#include "anybit/vm/text/internal/parser.h"

namespace anybit::vm::text {
namespace {

constexpr int kMaxBlockDepth = 64;
constexpr int64_t kMaxStatements = 100'000;
constexpr size_t kMaxParameters = 1024;

/// What reads as a literal cannot name a scalar.
bool is_reserved(std::string_view name) {
  return name == "true" || name == "false" || name == "inf" || name == "nan";
}

}  // namespace

Result<VariableId> Parser::define_variable(const std::string& name, SourceLocation location,
                                           ScalarType type, VariableRole role) {
  if (is_reserved(name)) {
    return error_at(location, fmt::format("expected a name, found the literal '{}'", name));
  }
  const auto [entry, is_new] =
      variables_.emplace(name, static_cast<VariableId>(program_.variables.size()));
  if (!is_new) return error_at(location, fmt::format("{} is defined twice", name));
  return program_.add_variable(name, type, role);
}

Result<ScalarType> Parser::take_scalar_type() {
  for (const ScalarType type : {ScalarType::kBool, ScalarType::kI32, ScalarType::kI64,
                                ScalarType::kF32, ScalarType::kPointer}) {
    if (lexer_.accept_name(scalar_type_name(type))) return type;
  }
  return lexer_.unexpected("bool, i32, i64, f32 or ptr");
}

Result<Program> Parser::take_kernel() {
  std::string comment(lexer_.comment());
  ANYBIT_TRY(lexer_.expect_name("kernel"));
  ANYBIT_ASSIGN(std::string name, lexer_.take_name("the kernel's name"));
  program_ = Program::with_builtins(std::move(name));
  program_.comment = std::move(comment);
  variables_.clear();
  values_.clear();
  for (VariableId id = 0; id < kNumBuiltins; ++id) {
    variables_.emplace(program_.variables[id].name, id);
  }
  ANYBIT_TRY(take_parameters());
  ANYBIT_TRY(lexer_.expect_name("grid"));
  ANYBIT_ASSIGN(program_.grid, take_expressions());
  if (lexer_.accept_name("cluster")) {
    ANYBIT_ASSIGN(program_.cluster, take_integers());
  }
  if (lexer_.accept_name("warps")) {
    const SourceLocation location = lexer_.current().location;
    ANYBIT_ASSIGN(const int64_t warps, take_integer());
    if (warps < 1 || warps > kMaxWarps) {
      return error_at(location, fmt::format("warps {}, expected 1 to {}", warps, kMaxWarps));
    }
    program_.num_warps = static_cast<int>(warps);
  }
  num_threads_ = program_.num_threads();
  if (!lexer_.is_symbol("{")) return lexer_.unexpected("'cluster', 'warps' or '{'");
  ANYBIT_TRY(take_block(program_.body));
  return std::move(program_);
}

Status Parser::take_parameters() {
  ANYBIT_TRY(lexer_.expect("("));
  while (!lexer_.is_symbol(")")) {
    const SourceLocation location = lexer_.current().location;
    ANYBIT_ASSIGN(const std::string name, lexer_.take_name("a parameter's name or ')'"));
    ANYBIT_TRY(lexer_.expect(":"));
    ANYBIT_ASSIGN(const ScalarType type, take_scalar_type());
    ANYBIT_ASSIGN(const VariableId id,
                  define_variable(name, location, type, VariableRole::kParameter));
    program_.parameters.push_back(id);
    if (program_.parameters.size() > kMaxParameters) {
      return error_at(location, fmt::format("more than {} parameters", kMaxParameters));
    }
    if (lexer_.is_symbol(")")) break;
    if (!lexer_.accept(",")) return lexer_.unexpected("',' or ')'");
  }
  lexer_.next();
  return {};
}

Status Parser::take_block(Block& block) {
  const SourceLocation location = lexer_.current().location;
  ANYBIT_TRY(lexer_.expect("{"));
  if (++block_depth_ > kMaxBlockDepth) {
    return error_at(location, fmt::format("blocks nested more than {} deep", kMaxBlockDepth));
  }
  while (!lexer_.is_symbol("}")) {
    if (at_end()) return lexer_.unexpected("a statement or '}'");
    ANYBIT_TRY(take_statement(block));
  }
  lexer_.next();
  --block_depth_;
  return {};
}

Status Parser::take_statement(Block& block) {
  Statement statement;
  statement.location = lexer_.current().location;
  if (++num_statements_ > kMaxStatements) {
    return error_at(statement.location, fmt::format("more than {} statements", kMaxStatements));
  }
  bool found = false;
  ANYBIT_TRY(take_control(statement, found));
  if (!found) ANYBIT_TRY(take_instruction(statement));
  block.push_back(std::move(statement));
  return {};
}

Status Parser::take_control(Statement& statement, bool& found) {
  found = true;
  if (lexer_.accept_name("let")) return take_definition(statement, StatementKind::kLet);
  if (lexer_.accept_name("var")) return take_definition(statement, StatementKind::kVar);
  if (lexer_.accept_name("set")) return take_set(statement);
  if (lexer_.accept_name("for")) return take_for(statement);
  if (lexer_.accept_name("if")) return take_if(statement);
  if (lexer_.accept_name("threads")) return take_threads(statement);
  if (lexer_.accept_name("break")) {
    statement.kind = StatementKind::kBreak;
    return {};
  }
  const bool is_while = lexer_.is_name("while");
  if (is_while || lexer_.is_name("assume")) {
    lexer_.next();
    statement.kind = is_while ? StatementKind::kWhile : StatementKind::kAssume;
    ANYBIT_ASSIGN(statement.expressions.emplace_back(), take_expression());
    return is_while ? take_block(statement.body) : Status();
  }
  found = false;
  return {};
}

Status Parser::take_definition(Statement& statement, StatementKind kind) {
  statement.kind = kind;
  const SourceLocation location = lexer_.current().location;
  ANYBIT_ASSIGN(const std::string name, lexer_.take_name("a name"));
  std::optional<ScalarType> type;
  if (lexer_.accept(":")) {
    ANYBIT_ASSIGN(type, take_scalar_type());
  }
  if (!lexer_.is_symbol("=")) return lexer_.unexpected(type ? "'='" : "':' or '='");
  lexer_.next();
  ANYBIT_ASSIGN(Expr value, take_expression());
  if (type) value = with_literal_type(std::move(value), *type);
  ANYBIT_ASSIGN(
      statement.variable,
      define_variable(name, location, type.value_or(value.type()),
                      kind == StatementKind::kLet ? VariableRole::kLet : VariableRole::kMutable));
  statement.expressions.push_back(std::move(value));
  return {};
}

Status Parser::take_set(Statement& statement) {
  statement.kind = StatementKind::kSet;
  const SourceLocation location = lexer_.current().location;
  ANYBIT_ASSIGN(const std::string name, lexer_.take_name("a name"));
  const auto found = variables_.find(name);
  if (found == variables_.end()) {
    return error_at(location, fmt::format("expected a var defined above, found '{}'", name));
  }
  statement.variable = found->second;
  ANYBIT_TRY(lexer_.expect("="));
  ANYBIT_ASSIGN(Expr value, take_expression());
  statement.expressions.push_back(
      with_literal_type(std::move(value), program_.variables[statement.variable].type));
  return {};
}

Status Parser::take_for(Statement& statement) {
  statement.kind = StatementKind::kFor;
  const SourceLocation location = lexer_.current().location;
  ANYBIT_ASSIGN(const std::string name, lexer_.take_name("the loop's variable"));
  ANYBIT_TRY(lexer_.expect_name("in"));
  ANYBIT_TRY(lexer_.expect_name("range"));
  ANYBIT_TRY(lexer_.expect("("));
  ANYBIT_ASSIGN(statement.expressions.emplace_back(), take_expression());
  ANYBIT_TRY(lexer_.expect(","));
  ANYBIT_ASSIGN(statement.expressions.emplace_back(), take_expression());
  Expr step(1);
  if (lexer_.accept(",")) {
    ANYBIT_ASSIGN(step, take_expression());
  }
  statement.expressions.push_back(std::move(step));
  if (!lexer_.accept(")")) return lexer_.unexpected("',' or ')'");
  ScalarType type = ScalarType::kI32;
  for (const Expr& bound : statement.expressions) {
    if (bound.type() != ScalarType::kI32 && bound.type() != ScalarType::kI64) {
      return error_at(location, fmt::format("for: expected bounds of i32 or i64, found {}",
                                            scalar_type_name(bound.type())));
    }
    if (bound.type() == ScalarType::kI64) type = ScalarType::kI64;
  }
  for (Expr& bound : statement.expressions) {
    ANYBIT_ASSIGN(bound, convert(location, bound, type));
  }
  ANYBIT_ASSIGN(statement.variable, define_variable(name, location, type, VariableRole::kLoop));
  ANYBIT_TRY(take_for_options(statement));
  return take_block(statement.body);
}

Status Parser::take_for_options(Statement& statement) {
  while (!lexer_.is_symbol("{")) {
    if (lexer_.accept_name("unroll")) {
      statement.unroll = true;
      continue;
    }
    if (!lexer_.accept_name("pipeline")) return lexer_.unexpected("'unroll', 'pipeline' or '{'");
    ANYBIT_TRY(lexer_.expect("("));
    const SourceLocation location = lexer_.current().location;
    ANYBIT_ASSIGN(statement.num_stages, take_integer());
    if (statement.num_stages < 1) {
      return error_at(location,
                      fmt::format("for: {} stages, expected 1 to 8", statement.num_stages));
    }
    ANYBIT_TRY(lexer_.expect(")"));
  }
  return {};
}

Status Parser::take_if(Statement& statement) {
  statement.kind = StatementKind::kIf;
  ANYBIT_ASSIGN(statement.expressions.emplace_back(), take_expression());
  ANYBIT_TRY(take_block(statement.body));
  if (!lexer_.accept_name("else")) return {};
  if (!lexer_.is_name("if")) return take_block(statement.else_body);
  const SourceLocation location = lexer_.current().location;
  if (++block_depth_ > kMaxBlockDepth) {
    return error_at(location, fmt::format("blocks nested more than {} deep", kMaxBlockDepth));
  }
  ANYBIT_TRY(take_statement(statement.else_body));
  --block_depth_;
  return {};
}

Status Parser::take_threads(Statement& statement) {
  statement.kind = StatementKind::kThreads;
  ANYBIT_TRY(lexer_.expect("("));
  ANYBIT_ASSIGN(statement.first_thread, take_integer());
  ANYBIT_TRY(lexer_.expect(","));
  ANYBIT_ASSIGN(statement.num_threads, take_integer());
  ANYBIT_TRY(lexer_.expect(")"));
  if (lexer_.accept_name("registers")) {
    ANYBIT_TRY(lexer_.expect("("));
    const SourceLocation location = lexer_.current().location;
    ANYBIT_ASSIGN(statement.num_registers, take_integer());
    if (statement.num_registers < 1) {
      return error_at(location,
                      fmt::format("registers({}), expected 24 to 248", statement.num_registers));
    }
    ANYBIT_TRY(lexer_.expect(")"));
  }
  const int64_t outer = std::exchange(num_threads_, statement.num_threads);
  ANYBIT_TRY(take_block(statement.body));
  num_threads_ = outer;
  return {};
}

}  // namespace anybit::vm::text
