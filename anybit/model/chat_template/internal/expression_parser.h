// Parses expressions: precedence climbing, one function a family of operators.
// Source of the grammar: Jinja 3.1 documentation, "Template Designer Documentation", expressions.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "anybit/base/result.h"
#include "anybit/model/chat_template/internal/ast.h"
#include "anybit/model/chat_template/internal/token_stream.h"

namespace anybit::model::jinja {

class ExpressionParser {
 public:
  explicit ExpressionParser(TokenStream& tokens) : tokens_(tokens) {}

  /// An expression; `with_ternary` false leaves a following "if" alone.
  Result<ExpressionPtr> parse(bool with_ternary = true);
  /// An expression, or several separated by commas: a tuple.
  Result<ExpressionPtr> parse_tuple(bool with_ternary = true);
  /// What a value is stored in: a name, several, or with `allow_member` a namespace's member.
  Result<ExpressionPtr> parse_target(bool allow_member);
  /// Filters without a first operand ("upper | trim"), for filter blocks and block set.
  Result<ExpressionPtr> parse_filter_chain(ExpressionPtr operand);
  /// "(...)" of a call. Pre: at "(".
  Result<std::vector<Argument>> parse_arguments();

  /// Names that occurred since the last call, for macros to know which of theirs are used.
  std::vector<std::string>& seen_names() { return seen_names_; }
  /// Steps into brackets or tags. Errors: kCorruptData if nested deeper than kMaxNesting.
  Status enter();
  void leave() { --nesting_; }

 private:
  using Operands = std::vector<ExpressionPtr>;

  Result<ExpressionPtr> node(ExpressionKind kind, int line, Operands operands,
                             std::vector<Argument> arguments = {});
  Result<ExpressionPtr> parse_or();
  Result<ExpressionPtr> parse_and();
  Result<ExpressionPtr> parse_not();
  Result<ExpressionPtr> parse_compare();
  Result<ExpressionPtr> parse_sum();
  Result<ExpressionPtr> parse_concat();
  Result<ExpressionPtr> parse_product();
  Result<ExpressionPtr> parse_power();
  Result<ExpressionPtr> parse_unary(bool with_filters);
  Result<ExpressionPtr> parse_primary();
  Result<ExpressionPtr> parse_name();
  Result<ExpressionPtr> parse_number();
  Result<ExpressionPtr> parse_parenthesized();
  Result<ExpressionPtr> parse_list();
  Result<ExpressionPtr> parse_dict();
  Result<ExpressionPtr> parse_postfix(ExpressionPtr operand);
  Result<ExpressionPtr> parse_filters_and_tests(ExpressionPtr operand);
  Result<ExpressionPtr> parse_test(ExpressionPtr operand);
  Result<ExpressionPtr> parse_call(ExpressionPtr callee);
  Result<ExpressionPtr> parse_subscript(ExpressionPtr operand);
  bool at_tuple_end() const;

  TokenStream& tokens_;
  std::vector<std::string> seen_names_;
  int nesting_ = 0;
};

}  // namespace anybit::model::jinja
