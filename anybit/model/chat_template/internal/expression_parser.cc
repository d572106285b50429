#include "anybit/model/chat_template/internal/expression_parser.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <optional>

namespace anybit::model::jinja {
namespace {

struct OperatorToken {
  std::string_view text;
  Operator op;
};

constexpr std::array<OperatorToken, 6> kComparisons = {{
    {"==", Operator::kEqual},
    {"!=", Operator::kNotEqual},
    {"<=", Operator::kLessEqual},
    {">=", Operator::kGreaterEqual},
    {"<", Operator::kLess},
    {">", Operator::kGreater},
}};
constexpr std::array<OperatorToken, 2> kSums = {
    {{"+", Operator::kAdd}, {"-", Operator::kSubtract}}};
constexpr std::array<OperatorToken, 4> kProducts = {{
    {"*", Operator::kMultiply},
    {"/", Operator::kDivide},
    {"//", Operator::kFloorDivide},
    {"%", Operator::kModulo},
}};

template <size_t Count>
std::optional<Operator> take_operator(TokenStream& tokens,
                                      const std::array<OperatorToken, Count>& choices) {
  for (const OperatorToken& choice : choices) {
    if (tokens.skip_operator(choice.text)) return choice.op;
  }
  return std::nullopt;
}

ExpressionPtr make_constant(Value value, int line) {
  auto constant = std::make_unique<Expression>();
  constant->line = line;
  constant->value = std::move(value);
  return constant;
}

}  // namespace

Status ExpressionParser::enter() {
  if (++nesting_ > kMaxNesting) {
    return fail(ErrorCode::kCorruptData, "line {}: nested deeper than {}", tokens_.line(),
                kMaxNesting);
  }
  return {};
}

Result<ExpressionPtr> ExpressionParser::node(ExpressionKind kind, int line, Operands operands,
                                             std::vector<Argument> arguments) {
  auto made = std::make_unique<Expression>();
  made->kind = kind;
  made->line = line;
  for (const ExpressionPtr& operand : operands) {
    if (operand != nullptr) made->depth = std::max(made->depth, operand->depth + 1);
  }
  for (const Argument& argument : arguments) {
    made->depth = std::max(made->depth, argument.value->depth + 1);
  }
  if (made->depth > kMaxExpressionDepth) {
    return fail(ErrorCode::kCorruptData, "line {}: the expression is deeper than {}", line,
                kMaxExpressionDepth);
  }
  made->operands = std::move(operands);
  made->arguments = std::move(arguments);
  return made;
}

namespace {

template <class... Parts>
std::vector<ExpressionPtr> operands(Parts... parts) {
  std::vector<ExpressionPtr> all;
  (all.push_back(std::move(parts)), ...);
  return all;
}

}  // namespace

Result<ExpressionPtr> ExpressionParser::parse(bool with_ternary) {
  ANYBIT_TRY(enter());
  const int line = tokens_.line();
  ANYBIT_ASSIGN(ExpressionPtr left, parse_or());
  while (with_ternary && tokens_.skip_name("if")) {
    ANYBIT_ASSIGN(ExpressionPtr condition, parse_or());
    ExpressionPtr otherwise;
    if (tokens_.skip_name("else")) {
      ANYBIT_ASSIGN(otherwise, parse());
    }
    ANYBIT_ASSIGN(left,
                  node(ExpressionKind::kTernary, line,
                       operands(std::move(left), std::move(condition), std::move(otherwise))));
  }
  leave();
  return left;
}

bool ExpressionParser::at_tuple_end() const {
  return tokens_.at(TokenKind::kVariableEnd) || tokens_.at(TokenKind::kBlockEnd) ||
         tokens_.at_operator(")") || tokens_.at_name("in") || tokens_.at_name("recursive") ||
         tokens_.at_operator("=");
}

Result<ExpressionPtr> ExpressionParser::parse_tuple(bool with_ternary) {
  const int line = tokens_.line();
  std::vector<ExpressionPtr> items;
  ANYBIT_ASSIGN(ExpressionPtr first, parse(with_ternary));
  if (!tokens_.at_operator(",")) return first;
  items.push_back(std::move(first));
  while (tokens_.skip_operator(",") && !at_tuple_end()) {
    ANYBIT_ASSIGN(ExpressionPtr item, parse(with_ternary));
    items.push_back(std::move(item));
  }
  return node(ExpressionKind::kTuple, line, std::move(items));
}

Result<ExpressionPtr> ExpressionParser::parse_target(bool allow_member) {
  const int line = tokens_.line();
  std::vector<ExpressionPtr> items;
  bool is_tuple = false;
  do {
    if (is_tuple && at_tuple_end()) break;
    if (tokens_.skip_operator("(")) {
      ANYBIT_TRY(enter());
      ANYBIT_ASSIGN(ExpressionPtr inner, parse_target(false));
      ANYBIT_TRY(tokens_.expect_operator(")"));
      leave();
      items.push_back(std::move(inner));
    } else {
      ANYBIT_ASSIGN(std::string name, tokens_.expect_name("a name to assign to"));
      static constexpr std::array<std::string_view, 6> kReserved = {"true", "false", "none",
                                                                    "True", "False", "None"};
      if (std::find(kReserved.begin(), kReserved.end(), name) != kReserved.end()) {
        return fail(ErrorCode::kCorruptData, "line {}: expected a name to assign to, found \"{}\"",
                    line, name);
      }
      ANYBIT_ASSIGN(ExpressionPtr target, node(ExpressionKind::kName, line, {}));
      target->name = std::move(name);
      if (allow_member && tokens_.skip_operator(".")) {
        ANYBIT_ASSIGN(std::string member, tokens_.expect_name("a member's name"));
        ANYBIT_ASSIGN(target, node(ExpressionKind::kAttribute, line, operands(std::move(target))));
        target->name = std::move(member);
      }
      items.push_back(std::move(target));
    }
    if (!tokens_.at_operator(",")) break;
    is_tuple = true;
  } while (tokens_.skip_operator(","));
  if (!is_tuple) return std::move(items.front());
  return node(ExpressionKind::kTuple, line, std::move(items));
}

Result<ExpressionPtr> ExpressionParser::parse_or() {
  const int line = tokens_.line();
  ANYBIT_ASSIGN(ExpressionPtr left, parse_and());
  while (tokens_.skip_name("or")) {
    ANYBIT_ASSIGN(ExpressionPtr right, parse_and());
    ANYBIT_ASSIGN(left,
                  node(ExpressionKind::kOr, line, operands(std::move(left), std::move(right))));
  }
  return left;
}

Result<ExpressionPtr> ExpressionParser::parse_and() {
  const int line = tokens_.line();
  ANYBIT_ASSIGN(ExpressionPtr left, parse_not());
  while (tokens_.skip_name("and")) {
    ANYBIT_ASSIGN(ExpressionPtr right, parse_not());
    ANYBIT_ASSIGN(left,
                  node(ExpressionKind::kAnd, line, operands(std::move(left), std::move(right))));
  }
  return left;
}

Result<ExpressionPtr> ExpressionParser::parse_not() {
  const int line = tokens_.line();
  if (!tokens_.skip_name("not")) return parse_compare();
  ANYBIT_TRY(enter());
  ANYBIT_ASSIGN(ExpressionPtr operand, parse_not());
  leave();
  return node(ExpressionKind::kUnary, line, operands(std::move(operand)));
}

Result<ExpressionPtr> ExpressionParser::parse_compare() {
  const int line = tokens_.line();
  std::vector<ExpressionPtr> items;
  std::vector<Operator> comparisons;
  ANYBIT_ASSIGN(ExpressionPtr first, parse_sum());
  items.push_back(std::move(first));
  while (true) {
    std::optional<Operator> op = take_operator(tokens_, kComparisons);
    if (!op && tokens_.skip_name("in")) op = Operator::kIn;
    const Token& second = tokens_.peek_second();
    if (!op && tokens_.at_name("not") && second.kind == TokenKind::kName && second.text == "in") {
      tokens_.take();
      tokens_.take();
      op = Operator::kNotIn;
    }
    if (!op) break;
    comparisons.push_back(*op);
    ANYBIT_ASSIGN(ExpressionPtr right, parse_sum());
    items.push_back(std::move(right));
  }
  if (comparisons.empty()) return std::move(items.front());
  ANYBIT_ASSIGN(ExpressionPtr made, node(ExpressionKind::kCompare, line, std::move(items)));
  made->comparisons = std::move(comparisons);
  return made;
}

Result<ExpressionPtr> ExpressionParser::parse_sum() {
  const int line = tokens_.line();
  ANYBIT_ASSIGN(ExpressionPtr left, parse_concat());
  while (const std::optional<Operator> op = take_operator(tokens_, kSums)) {
    ANYBIT_ASSIGN(ExpressionPtr right, parse_concat());
    ANYBIT_ASSIGN(left,
                  node(ExpressionKind::kBinary, line, operands(std::move(left), std::move(right))));
    left->op = *op;
  }
  return left;
}

Result<ExpressionPtr> ExpressionParser::parse_concat() {
  const int line = tokens_.line();
  std::vector<ExpressionPtr> items;
  do {
    ANYBIT_ASSIGN(ExpressionPtr item, parse_product());
    items.push_back(std::move(item));
  } while (tokens_.skip_operator("~"));
  if (items.size() == 1) return std::move(items.front());
  return node(ExpressionKind::kConcat, line, std::move(items));
}

Result<ExpressionPtr> ExpressionParser::parse_product() {
  const int line = tokens_.line();
  ANYBIT_ASSIGN(ExpressionPtr left, parse_power());
  while (const std::optional<Operator> op = take_operator(tokens_, kProducts)) {
    ANYBIT_ASSIGN(ExpressionPtr right, parse_power());
    ANYBIT_ASSIGN(left,
                  node(ExpressionKind::kBinary, line, operands(std::move(left), std::move(right))));
    left->op = *op;
  }
  return left;
}

Result<ExpressionPtr> ExpressionParser::parse_power() {
  const int line = tokens_.line();
  ANYBIT_ASSIGN(ExpressionPtr left, parse_unary(true));
  while (tokens_.skip_operator("**")) {
    ANYBIT_ASSIGN(ExpressionPtr right, parse_unary(true));
    ANYBIT_ASSIGN(left,
                  node(ExpressionKind::kBinary, line, operands(std::move(left), std::move(right))));
    left->op = Operator::kPower;
  }
  return left;
}

Result<ExpressionPtr> ExpressionParser::parse_unary(bool with_filters) {
  const int line = tokens_.line();
  ExpressionPtr made;
  const bool is_minus = tokens_.skip_operator("-");
  if (is_minus || tokens_.skip_operator("+")) {
    ANYBIT_TRY(enter());
    ANYBIT_ASSIGN(ExpressionPtr operand, parse_unary(false));
    leave();
    ANYBIT_ASSIGN(made, node(ExpressionKind::kUnary, line, operands(std::move(operand))));
    made->op = is_minus ? Operator::kNegate : Operator::kPlus;
  } else {
    ANYBIT_ASSIGN(made, parse_primary());
  }
  ANYBIT_ASSIGN(made, parse_postfix(std::move(made)));
  if (!with_filters) return made;
  return parse_filters_and_tests(std::move(made));
}

Result<ExpressionPtr> ExpressionParser::parse_primary() {
  switch (tokens_.peek().kind) {
    case TokenKind::kName: return parse_name();
    case TokenKind::kInteger:
    case TokenKind::kFloat: return parse_number();
    case TokenKind::kString: {
      const int line = tokens_.line();
      std::string text;
      while (tokens_.at(TokenKind::kString)) text += tokens_.take().text;
      return make_constant(Value::string(std::move(text)), line);
    }
    default: break;
  }
  if (tokens_.at_operator("(")) return parse_parenthesized();
  if (tokens_.at_operator("[")) return parse_list();
  if (tokens_.at_operator("{")) return parse_dict();
  return tokens_.unexpected("an expression");
}

Result<ExpressionPtr> ExpressionParser::parse_name() {
  const int line = tokens_.line();
  std::string name = tokens_.take().text;
  if (name == "true" || name == "True") return make_constant(Value::boolean(true), line);
  if (name == "false" || name == "False") return make_constant(Value::boolean(false), line);
  if (name == "none" || name == "None") return make_constant(Value::none(), line);
  if (name == "caller" || name == "varargs" || name == "kwargs") seen_names_.push_back(name);
  ANYBIT_ASSIGN(ExpressionPtr made, node(ExpressionKind::kName, line, {}));
  made->name = std::move(name);
  return made;
}

Result<ExpressionPtr> ExpressionParser::parse_number() {
  const Token token = tokens_.take();
  if (token.kind == TokenKind::kFloat) {
    return make_constant(Value::number(std::strtod(token.text.c_str(), nullptr)), token.line);
  }
  std::string digits = token.text;
  int base = 10;
  if (digits.size() > 2 && digits[0] == '0' && digits[1] > '9') {
    const char letter = static_cast<char>(digits[1] | 0x20);
    base = letter == 'x' ? 16 : letter == 'o' ? 8 : 2;
    digits = digits.substr(2);
  }
  char* end = nullptr;
  errno = 0;
  const int64_t value = std::strtoll(digits.c_str(), &end, base);
  if (errno != 0 || end == nullptr || *end != '\0') {
    return fail(ErrorCode::kCorruptData, "line {}: expected an integer of 64 bits, found \"{}\"",
                token.line, token.text);
  }
  return make_constant(Value::integer(value), token.line);
}

Result<ExpressionPtr> ExpressionParser::parse_parenthesized() {
  const int line = tokens_.line();
  tokens_.take();
  if (tokens_.skip_operator(")")) return node(ExpressionKind::kTuple, line, {});
  ANYBIT_ASSIGN(ExpressionPtr inner, parse_tuple());
  ANYBIT_TRY(tokens_.expect_operator(")"));
  return inner;
}

Result<ExpressionPtr> ExpressionParser::parse_list() {
  const int line = tokens_.line();
  tokens_.take();
  std::vector<ExpressionPtr> items;
  while (!tokens_.at_operator("]")) {
    if (!items.empty()) {
      ANYBIT_TRY(tokens_.expect_operator(","));
      if (tokens_.at_operator("]")) break;
    }
    ANYBIT_ASSIGN(ExpressionPtr item, parse());
    items.push_back(std::move(item));
  }
  tokens_.take();
  return node(ExpressionKind::kList, line, std::move(items));
}

Result<ExpressionPtr> ExpressionParser::parse_dict() {
  const int line = tokens_.line();
  tokens_.take();
  std::vector<ExpressionPtr> items;
  while (!tokens_.at_operator("}")) {
    if (!items.empty()) {
      ANYBIT_TRY(tokens_.expect_operator(","));
      if (tokens_.at_operator("}")) break;
    }
    ANYBIT_ASSIGN(ExpressionPtr key, parse());
    ANYBIT_TRY(tokens_.expect_operator(":"));
    ANYBIT_ASSIGN(ExpressionPtr value, parse());
    items.push_back(std::move(key));
    items.push_back(std::move(value));
  }
  tokens_.take();
  return node(ExpressionKind::kDict, line, std::move(items));
}

Result<ExpressionPtr> ExpressionParser::parse_postfix(ExpressionPtr operand) {
  while (true) {
    if (tokens_.at_operator(".") || tokens_.at_operator("[")) {
      ANYBIT_ASSIGN(operand, parse_subscript(std::move(operand)));
    } else if (tokens_.at_operator("(")) {
      ANYBIT_ASSIGN(operand, parse_call(std::move(operand)));
    } else {
      return operand;
    }
  }
}

Result<ExpressionPtr> ExpressionParser::parse_subscript(ExpressionPtr operand) {
  const int line = tokens_.line();
  if (tokens_.skip_operator(".")) {
    if (tokens_.at(TokenKind::kInteger)) {
      ANYBIT_ASSIGN(ExpressionPtr index, parse_number());
      return node(ExpressionKind::kItem, line, operands(std::move(operand), std::move(index)));
    }
    ANYBIT_ASSIGN(std::string name, tokens_.expect_name("the name of an attribute"));
    ANYBIT_ASSIGN(ExpressionPtr made,
                  node(ExpressionKind::kAttribute, line, operands(std::move(operand))));
    made->name = std::move(name);
    return made;
  }
  tokens_.take();
  std::vector<ExpressionPtr> parts = operands(std::move(operand));
  bool is_slice = false;
  while (!tokens_.at_operator("]")) {
    if (tokens_.skip_operator(":")) {
      if (parts.size() == 1) parts.push_back(nullptr);
      is_slice = true;
      const bool is_absent = tokens_.at_operator(":") || tokens_.at_operator("]");
      ExpressionPtr part;
      if (!is_absent) {
        ANYBIT_ASSIGN(part, parse());
      }
      parts.push_back(std::move(part));
    } else if (parts.size() == 1) {
      ANYBIT_ASSIGN(ExpressionPtr part, parse());
      parts.push_back(std::move(part));
    } else {
      return tokens_.unexpected("\"]\"");
    }
  }
  if (parts.size() == 1 || parts.size() > 4) return tokens_.unexpected("an index or a slice");
  tokens_.take();
  if (!is_slice) return node(ExpressionKind::kItem, line, std::move(parts));
  parts.resize(4);
  return node(ExpressionKind::kSlice, line, std::move(parts));
}

Result<ExpressionPtr> ExpressionParser::parse_call(ExpressionPtr callee) {
  const int line = tokens_.line();
  ANYBIT_ASSIGN(std::vector<Argument> arguments, parse_arguments());
  return node(ExpressionKind::kCall, line, operands(std::move(callee)), std::move(arguments));
}

Result<std::vector<Argument>> ExpressionParser::parse_arguments() {
  tokens_.take();
  std::vector<Argument> arguments;
  bool has_keyword = false;
  while (!tokens_.at_operator(")")) {
    if (!arguments.empty()) {
      ANYBIT_TRY(tokens_.expect_operator(","));
      if (tokens_.at_operator(")")) break;
    }
    Argument argument;
    const Token& second = tokens_.peek_second();
    if (tokens_.skip_operator("*")) {
      argument.kind = Argument::Kind::kUnpackList;
    } else if (tokens_.skip_operator("**")) {
      argument.kind = Argument::Kind::kUnpackDict;
    } else if (tokens_.at(TokenKind::kName) && second.kind == TokenKind::kOperator &&
               second.text == "=") {
      argument.kind = Argument::Kind::kKeyword;
      argument.name = tokens_.take().text;
      tokens_.take();
    } else if (has_keyword) {
      return tokens_.unexpected("a keyword argument after the first one");
    }
    has_keyword = has_keyword || argument.kind == Argument::Kind::kKeyword ||
                  argument.kind == Argument::Kind::kUnpackDict;
    ANYBIT_ASSIGN(argument.value, parse());
    arguments.push_back(std::move(argument));
  }
  tokens_.take();
  return arguments;
}

Result<ExpressionPtr> ExpressionParser::parse_filters_and_tests(ExpressionPtr operand) {
  while (true) {
    if (tokens_.at_operator("|")) {
      ANYBIT_ASSIGN(operand, parse_filter_chain(std::move(operand)));
    } else if (tokens_.skip_name("is")) {
      ANYBIT_ASSIGN(operand, parse_test(std::move(operand)));
    } else if (tokens_.at_operator("(")) {
      ANYBIT_ASSIGN(operand, parse_call(std::move(operand)));
    } else {
      return operand;
    }
  }
}

Result<ExpressionPtr> ExpressionParser::parse_filter_chain(ExpressionPtr operand) {
  const bool is_inline = operand == nullptr;
  while (tokens_.skip_operator("|") || (is_inline && operand == nullptr)) {
    const int line = tokens_.line();
    ANYBIT_ASSIGN(std::string name, tokens_.expect_name("the name of a filter"));
    while (tokens_.skip_operator(".")) {
      ANYBIT_ASSIGN(const std::string part, tokens_.expect_name("the rest of a filter's name"));
      name += "." + part;
    }
    std::vector<Argument> arguments;
    if (tokens_.at_operator("(")) {
      ANYBIT_ASSIGN(arguments, parse_arguments());
    }
    ANYBIT_ASSIGN(operand, node(ExpressionKind::kFilter, line, operands(std::move(operand)),
                                std::move(arguments)));
    operand->builtin = find_filter(name);
    operand->name = std::move(name);
  }
  return operand;
}

Result<ExpressionPtr> ExpressionParser::parse_test(ExpressionPtr operand) {
  const int line = tokens_.line();
  const bool is_negated = tokens_.skip_name("not");
  ANYBIT_ASSIGN(std::string name, tokens_.expect_name("the name of a test"));
  std::vector<Argument> arguments;
  const TokenKind next = tokens_.peek().kind;
  const bool is_operand = next == TokenKind::kString || next == TokenKind::kInteger ||
                          next == TokenKind::kFloat || tokens_.at_operator("[") ||
                          tokens_.at_operator("{") ||
                          (next == TokenKind::kName && !tokens_.at_name("else") &&
                           !tokens_.at_name("or") && !tokens_.at_name("and"));
  if (tokens_.at_operator("(")) {
    ANYBIT_ASSIGN(arguments, parse_arguments());
  } else if (is_operand) {
    if (tokens_.at_name("is")) return tokens_.unexpected("one test, not a chain of them");
    ANYBIT_ASSIGN(ExpressionPtr argument, parse_primary());
    ANYBIT_ASSIGN(argument, parse_postfix(std::move(argument)));
    arguments.push_back({Argument::Kind::kPositional, "", std::move(argument)});
  }
  ANYBIT_ASSIGN(ExpressionPtr made, node(ExpressionKind::kTest, line, operands(std::move(operand)),
                                         std::move(arguments)));
  made->builtin = find_test(name);
  made->name = std::move(name);
  if (!is_negated) return made;
  return node(ExpressionKind::kUnary, line, operands(std::move(made)));
}

}  // namespace anybit::model::jinja
