// Runs a parsed template.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "anybit/model/chat_template/internal/ast.h"
#include "anybit/model/chat_template/internal/budget.h"
#include "anybit/model/chat_template/internal/builtin.h"

namespace anybit::model::jinja {

/// The variables of one block of the template, seen from the blocks inside.
struct Scope {
  Scope* outer = nullptr;
  std::vector<std::pair<std::string_view, Value>> variables;
};

class Interpreter : public Context {
 public:
  /// `variables` and the tree given to run() outlive the interpreter.
  Interpreter(const TemplateDict& variables, Budget budget, int64_t unix_time)
      : variables_(variables), budget_(budget), unix_time_(unix_time) {}

  /// What the template prints. Errors: with the line; see ChatTemplate::render().
  Result<std::string> run(const Body& body);

  Budget& budget() override { return budget_; }
  int64_t unix_time() const override { return unix_time_; }
  Object* keep(std::unique_ptr<Object> object) override;

 private:
  enum class Flow : uint8_t { kNext, kBreak, kContinue };
  class ScopeGuard;
  class DepthGuard;

  Result<Flow> execute(const Body& body, std::string& out);
  Result<Flow> execute_statement(const Statement& statement, std::string& out);
  Result<Flow> execute_if(const Statement& statement, std::string& out);
  Result<Flow> execute_for(const Statement& statement, std::string& out);
  Result<std::vector<Value>> loop_items(const Statement& statement);
  Status execute_set_block(const Statement& statement);
  Status execute_macro(const Statement& statement);
  Status execute_call_block(const Statement& statement, std::string& out);
  Result<Flow> execute_filter_block(const Statement& statement, std::string& out);
  Result<Flow> execute_with(const Statement& statement, std::string& out);
  Status print(const Value& value, int line, std::string& out);

  Status assign(const Expression& target, Value value);
  void set_variable(std::string_view name, Value value);
  Value find_variable(std::string_view name);

  Result<Value> evaluate(const Expression& expression);
  Result<Value> evaluate_kind(const Expression& expression);
  Result<Value> evaluate_attribute(const Expression& expression);
  Result<Value> evaluate_item(const Expression& expression);
  Result<Value> evaluate_slice(const Expression& expression);
  Result<Value> evaluate_unary(const Expression& expression);
  Result<Value> evaluate_binary(const Expression& expression);
  Result<Value> evaluate_and_or(const Expression& expression);
  Result<Value> evaluate_compare(const Expression& expression);
  Result<Value> evaluate_concat(const Expression& expression);
  Result<Value> evaluate_ternary(const Expression& expression);
  Result<Value> evaluate_collection(const Expression& expression);
  Result<Value> evaluate_dict(const Expression& expression);
  Result<Value> evaluate_call(const Expression& expression, const Value* caller);
  Result<Value> evaluate_test(const Expression& expression);
  /// `input`: stands for the missing first operand of a filter block's chain.
  Result<Value> evaluate_filter(const Expression& expression, const Value* input);
  Result<CallArguments> evaluate_arguments(const std::vector<Argument>& arguments, int line);
  Result<Value> call_macro(const Macro& macro, CallArguments arguments, int line);
  Status bind_macro(const Macro& macro, CallArguments& arguments, int line);

  /// Puts the line before the message of an error made by a function that knows none.
  template <class T>
  Result<T> located(Result<T> result, int line) const;
  /// Refuses collections nested too deep to be walked safely.
  Result<Value> checked(Result<Value> result, int line) const;

  const TemplateDict& variables_;
  Budget budget_;
  int64_t unix_time_;
  std::vector<std::unique_ptr<Object>> objects_;
  std::deque<Scope> scopes_;
  Scope* scope_ = nullptr;
  int64_t num_macros_ = 0;  // Made so far: their scopes are kept.
  int depth_ = 0;           // Of evaluate() and execute() on the stack.
  int loop_depth_ = 0;
};

}  // namespace anybit::model::jinja
