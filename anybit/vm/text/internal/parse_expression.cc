#include <algorithm>
#include <array>
#include <charconv>
#include <limits>

#include "anybit/vm/text/internal/parser.h"

namespace anybit::vm::text {
namespace {

/// `>` and `>=` are `<` and `<=` the other way round.
struct InfixOperator {
  std::string_view symbol;
  ExprKind kind;
  bool is_swapped = false;
};
constexpr auto kInfix = std::to_array<InfixOperator>({
    {"+", ExprKind::kAdd},
    {"-", ExprKind::kSub},
    {"*", ExprKind::kMul},
    {"/", ExprKind::kDiv},
    {"%", ExprKind::kMod},
    {"<<", ExprKind::kShiftLeft},
    {">>", ExprKind::kShiftRight},
    {"==", ExprKind::kEqual},
    {"!=", ExprKind::kNotEqual},
    {"<", ExprKind::kLess},
    {"<=", ExprKind::kLessEqual},
    {">", ExprKind::kLess, true},
    {">=", ExprKind::kLessEqual, true},
    {"&&", ExprKind::kAnd},
    {"||", ExprKind::kOr},
});

constexpr auto kCalls =
    std::to_array<ExprKind>({ExprKind::kMin, ExprKind::kMax, ExprKind::kBitAnd, ExprKind::kBitOr,
                             ExprKind::kBitXor, ExprKind::kSelect});

constexpr auto kConversions = std::to_array<ScalarType>(
    {ScalarType::kBool, ScalarType::kI32, ScalarType::kI64, ScalarType::kF32});

/// Far more than any list of an instruction has; what an error may have to print.
constexpr size_t kMaxListLength = 64;

const InfixOperator* find_infix(const Token& token) {
  if (token.kind != TokenKind::kSymbol) return nullptr;
  const auto* found = std::ranges::find(kInfix, token.text, &InfixOperator::symbol);
  return found == kInfix.end() ? nullptr : found;
}

/// Counts how deep the parser has gone; beyond the limit it must not go on.
class Nesting {
 public:
  explicit Nesting(int& depth) : depth_(depth) { ++depth_; }
  ~Nesting() { --depth_; }
  Nesting(const Nesting&) = delete;
  Nesting& operator=(const Nesting&) = delete;
  /// One more than the levels of a tree: a literal may be written i64(5).
  bool is_too_deep() const { return depth_ > kMaxExprDepth + 1; }

 private:
  int& depth_;
};

Status check_depth(SourceLocation location, const Expr& expr) {
  if (expr.depth() <= kMaxExprDepth) return {};
  return error_at(location, fmt::format("an expression of more than {} levels", kMaxExprDepth));
}

}  // namespace

Expr with_literal_type(Expr value, ScalarType type) {
  const bool fits = value.kind() == ExprKind::kInteger && value.type() == ScalarType::kI32 &&
                    type == ScalarType::kI64;
  return fits ? Expr::integer(value.integer_value(), type) : value;
}

Result<Expr> Parser::make(SourceLocation location, ExprKind kind, std::vector<Expr> operands) {
  Result<Expr> made = Expr::make(kind, std::move(operands));
  if (!made) return error_at(location, made.error().message);
  ANYBIT_TRY(check_depth(location, *made));
  return made;
}

Result<Expr> Parser::convert(SourceLocation location, Expr value, ScalarType type) {
  Result<Expr> converted = Expr::convert(std::move(value), type);
  if (!converted) return error_at(location, converted.error().message);
  ANYBIT_TRY(check_depth(location, *converted));
  return converted;
}

Result<Expr> Parser::take_expression() { return take_binary(1); }

Result<Expr> Parser::take_binary(int min_precedence) {
  ANYBIT_ASSIGN(Expr left, take_unary());
  while (const InfixOperator* op = find_infix(lexer_.current())) {
    const int precedence = expr_kind_info(op->kind).precedence;
    if (precedence < min_precedence) break;
    const SourceLocation location = lexer_.current().location;
    lexer_.next();
    ANYBIT_ASSIGN(Expr right, take_binary(precedence + 1));
    if (op->is_swapped) std::swap(left, right);
    ANYBIT_ASSIGN(left, make(location, op->kind, {std::move(left), std::move(right)}));
  }
  return left;
}

Result<Expr> Parser::take_unary() {
  const Nesting nesting(expression_depth_);
  const SourceLocation location = lexer_.current().location;
  if (nesting.is_too_deep()) {
    return error_at(location, fmt::format("an expression of more than {} levels", kMaxExprDepth));
  }
  if (lexer_.accept("!")) {
    ANYBIT_ASSIGN(Expr operand, take_unary());
    return make(location, ExprKind::kNot, {std::move(operand)});
  }
  if (!lexer_.accept("-")) return take_primary();
  if (lexer_.current().kind == TokenKind::kInteger) return take_integer_literal(true);
  ANYBIT_ASSIGN(Expr operand, take_unary());
  return make(location, ExprKind::kNegate, {std::move(operand)});
}

Result<Expr> Parser::take_primary() {
  const Token token = lexer_.current();
  if (token.kind == TokenKind::kInteger) return take_integer_literal(false);
  if (token.kind == TokenKind::kFloat) return take_float_literal();
  if (lexer_.accept("(")) {
    ANYBIT_ASSIGN(Expr inner, take_expression());
    ANYBIT_TRY(lexer_.expect(")"));
    return inner;
  }
  if (token.kind != TokenKind::kName) return lexer_.unexpected("an expression");
  lexer_.next();
  if (lexer_.is_symbol("(")) return take_call(token.text, token.location);
  if (token.text == "true" || token.text == "false") return Expr::boolean(token.text == "true");
  if (token.text == "inf") return Expr::real(std::numeric_limits<float>::infinity());
  if (token.text == "nan") return Expr::real(std::numeric_limits<float>::quiet_NaN());
  const auto found = variables_.find(std::string(token.text));
  if (found == variables_.end()) {
    return error_at(token.location,
                    fmt::format("expected a scalar defined above, found '{}'", token.text));
  }
  return Expr::variable(found->second, program_.variables[found->second].type);
}

Result<Expr> Parser::take_call(std::string_view name, SourceLocation location) {
  const auto* conversion = std::ranges::find(kConversions, name, scalar_type_name);
  const auto* call =
      std::ranges::find(kCalls, name, [](ExprKind kind) { return expr_kind_info(kind).name; });
  if (conversion == kConversions.end() && call == kCalls.end()) {
    return error_at(location, fmt::format("expected min, max, and, or, xor, select, bool, i32, i64 "
                                          "or f32 before '(', found '{}'",
                                          name));
  }
  lexer_.next();
  std::vector<Expr> operands;
  const int wanted = conversion != kConversions.end() ? 1 : expr_kind_info(*call).num_operands;
  for (int i = 0; i < wanted; ++i) {
    if (i > 0) ANYBIT_TRY(lexer_.expect(","));
    ANYBIT_ASSIGN(operands.emplace_back(), take_expression());
  }
  ANYBIT_TRY(lexer_.expect(")"));
  if (conversion != kConversions.end()) return convert(location, operands[0], *conversion);
  return make(location, *call, std::move(operands));
}

Result<Expr> Parser::take_integer_literal(bool is_negative) {
  const Token token = lexer_.current();
  const bool is_hex = token.text.starts_with("0x");
  const std::string_view digits = is_hex ? token.text.substr(2) : token.text;
  uint64_t magnitude = 0;
  const auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), magnitude, is_hex ? 16 : 10);
  if (digits.empty() || end != digits.data() + digits.size()) {
    return lexer_.unexpected("an integer");
  }
  const uint64_t most = (uint64_t{1} << 63) - (is_negative ? 0 : 1);
  if (error != std::errc() || magnitude > most) {
    return lexer_.unexpected("an integer of 64 bits");
  }
  lexer_.next();
  return Expr(static_cast<int64_t>(is_negative ? uint64_t{0} - magnitude : magnitude));
}

Result<Expr> Parser::take_float_literal() {
  const std::string_view text = lexer_.current().text;
  float value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc::result_out_of_range) return lexer_.unexpected("a number that fits f32");
  if (error != std::errc() || end != text.data() + text.size()) {
    return lexer_.unexpected("a number");
  }
  lexer_.next();
  return Expr::real(value);
}

Result<std::vector<Expr>> Parser::take_expressions() {
  std::vector<Expr> values;
  ANYBIT_TRY(lexer_.expect("["));
  while (!lexer_.is_symbol("]")) {
    ANYBIT_ASSIGN(values.emplace_back(), take_expression());
    if (lexer_.is_symbol("]")) break;
    if (values.size() == kMaxListLength) return lexer_.unexpected("']' after 64 values");
    if (!lexer_.accept(",")) return lexer_.unexpected("',' or ']'");
  }
  lexer_.next();
  return values;
}

Result<int64_t> Parser::take_integer() {
  const SourceLocation location = lexer_.current().location;
  ANYBIT_ASSIGN(const Expr value, take_expression());
  if (value.kind() != ExprKind::kInteger || value.type() == ScalarType::kBool) {
    return error_at(location, "expected a constant integer, found another expression");
  }
  return value.integer_value();
}

Result<std::vector<int64_t>> Parser::take_integers() {
  std::vector<int64_t> values;
  ANYBIT_TRY(lexer_.expect("["));
  while (!lexer_.is_symbol("]")) {
    ANYBIT_ASSIGN(values.emplace_back(), take_integer());
    if (lexer_.is_symbol("]")) break;
    if (values.size() == kMaxListLength) return lexer_.unexpected("']' after 64 values");
    if (!lexer_.accept(",")) return lexer_.unexpected("',' or ']'");
  }
  lexer_.next();
  return values;
}

}  // namespace anybit::vm::text
