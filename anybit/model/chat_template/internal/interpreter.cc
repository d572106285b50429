#include "anybit/model/chat_template/internal/interpreter.h"

#include <algorithm>

#include "anybit/model/chat_template/internal/interpreter_guards.h"
#include "anybit/model/chat_template/internal/operators.h"
#include "anybit/model/chat_template/internal/printing.h"

namespace anybit::model::jinja {

Object* Interpreter::keep(std::unique_ptr<Object> object) {
  constexpr int64_t kBytesPerObject = 512;  // With the scope that a macro keeps.
  budget_.debit_bytes(kBytesPerObject);
  objects_.push_back(std::move(object));
  return objects_.back().get();
}

Result<std::string> Interpreter::run(const Body& body) {
  const ScopeGuard scope(*this, nullptr);
  std::string out;
  ANYBIT_TRY(execute(body, out));
  return out;
}

void Interpreter::set_variable(std::string_view name, Value value) {
  for (auto& [key, variable] : scope_->variables) {
    if (key == name) {
      variable = std::move(value);
      return;
    }
  }
  scope_->variables.emplace_back(name, std::move(value));
}

Value Interpreter::find_variable(std::string_view name) {
  for (const Scope* scope = scope_; scope != nullptr; scope = scope->outer) {
    for (const auto& [key, variable] : scope->variables) {
      if (key == name) return variable;
    }
  }
  if (const Value* found = variables_.find(name)) return *found;
  if (const Builtin* global = find_global(name)) {
    return Value::object(keep(std::make_unique<Function>(ObjectKind::kFunction, global, Value())));
  }
  return Value::undefined(fmt::format("'{}' is undefined", name));
}

Status Interpreter::assign(const Expression& target, Value value) {
  if (target.kind == ExpressionKind::kName) {
    set_variable(target.name, std::move(value));
    return {};
  }
  if (target.kind == ExpressionKind::kAttribute) {
    const Value owner = find_variable(target.operands[0]->name);
    if (!owner.is(Kind::kObject) || owner.as_object()->kind() != ObjectKind::kNamespace) {
      return located<void>(
          template_error("only a namespace's members can be set, found a {}", owner.type_name()),
          target.line);
    }
    set_member(*static_cast<Namespace*>(owner.as_object()), target.name, std::move(value));
    return {};
  }
  ANYBIT_ASSIGN(const std::vector<Value> parts, located(iterate(budget_, value), target.line));
  if (parts.size() != target.operands.size()) {
    return located<void>(template_error("expected {} values to assign, found {}",
                                        target.operands.size(), parts.size()),
                         target.line);
  }
  for (size_t i = 0; i < parts.size(); ++i) ANYBIT_TRY(assign(*target.operands[i], parts[i]));
  return {};
}

Status Interpreter::print(const Value& value, int line, std::string& out) {
  ANYBIT_ASSIGN(const std::string text, located(to_text(budget_, value), line));
  ANYBIT_TRY(located(budget_.spend_text(text.size()), line));
  out += text;
  return {};
}

Result<Interpreter::Flow> Interpreter::execute(const Body& body, std::string& out) {
  for (const auto& statement : body) {
    ANYBIT_ASSIGN(const Flow flow, execute_statement(*statement, out));
    if (flow != Flow::kNext) return flow;
  }
  return Flow::kNext;
}

Result<Interpreter::Flow> Interpreter::execute_statement(const Statement& statement,
                                                         std::string& out) {
  const DepthGuard depth(*this);
  ANYBIT_TRY(located(depth.status(), statement.line));
  ANYBIT_TRY(located(budget_.spend_steps(1), statement.line));
  switch (statement.kind) {
    case StatementKind::kData:
      ANYBIT_TRY(located(budget_.spend_text(statement.text.size()), statement.line));
      out += statement.text;
      return Flow::kNext;
    case StatementKind::kOutput: {
      ANYBIT_ASSIGN(const Value value, evaluate(*statement.value));
      ANYBIT_TRY(print(value, statement.line, out));
      return Flow::kNext;
    }
    case StatementKind::kSet: {
      ANYBIT_ASSIGN(Value value, evaluate(*statement.value));
      ANYBIT_TRY(assign(*statement.target, std::move(value)));
      return Flow::kNext;
    }
    case StatementKind::kScope: {
      const ScopeGuard scope(*this, scope_);
      return execute(statement.body, out);
    }
    case StatementKind::kSetBlock: ANYBIT_TRY(execute_set_block(statement)); return Flow::kNext;
    case StatementKind::kMacro: ANYBIT_TRY(execute_macro(statement)); return Flow::kNext;
    case StatementKind::kCallBlock:
      ANYBIT_TRY(execute_call_block(statement, out));
      return Flow::kNext;
    case StatementKind::kIf: return execute_if(statement, out);
    case StatementKind::kFor: return execute_for(statement, out);
    case StatementKind::kFilterBlock: return execute_filter_block(statement, out);
    case StatementKind::kWith: return execute_with(statement, out);
    case StatementKind::kBreak: return Flow::kBreak;
    case StatementKind::kContinue: return Flow::kContinue;
  }
  return Flow::kNext;
}

Result<Interpreter::Flow> Interpreter::execute_if(const Statement& statement, std::string& out) {
  for (const Branch& branch : statement.branches) {
    ANYBIT_ASSIGN(const Value condition, evaluate(*branch.condition));
    if (condition.is_true()) return execute(branch.body, out);
  }
  return execute(statement.otherwise, out);
}

/// The items that pass the loop's own condition.
Result<std::vector<Value>> Interpreter::loop_items(const Statement& statement) {
  ANYBIT_ASSIGN(const Value value, evaluate(*statement.value));
  ANYBIT_ASSIGN(std::vector<Value> items, located(iterate(budget_, value), statement.line));
  if (statement.condition == nullptr) return items;
  std::vector<Value> kept;
  for (Value& item : items) {
    const ScopeGuard scope(*this, scope_);
    ANYBIT_TRY(assign(*statement.target, item));
    ANYBIT_ASSIGN(const Value condition, evaluate(*statement.condition));
    if (condition.is_true()) kept.push_back(std::move(item));
  }
  return kept;
}

Result<Interpreter::Flow> Interpreter::execute_for(const Statement& statement, std::string& out) {
  ANYBIT_ASSIGN(std::vector<Value> items, loop_items(statement));
  if (items.empty()) {
    const ScopeGuard scope(*this, scope_);
    return execute(statement.otherwise, out);
  }
  auto owned = std::make_unique<Loop>();
  Loop& loop = *owned;
  keep(std::move(owned));
  loop.items = std::move(items);
  loop.depth = loop_depth_ + 1;
  const CounterGuard loop_depth(loop_depth_);
  for (loop.index = 0; loop.index < loop.items.size(); ++loop.index) {
    ANYBIT_TRY(located(budget_.spend_steps(1), statement.line));
    const ScopeGuard scope(*this, scope_);
    set_variable("loop", Value::object(&loop));
    ANYBIT_TRY(assign(*statement.target, loop.items[loop.index]));
    ANYBIT_ASSIGN(const Flow flow, execute(statement.body, out));
    if (flow == Flow::kBreak) break;
  }
  return Flow::kNext;
}

Status Interpreter::execute_set_block(const Statement& statement) {
  std::string text;
  {
    const ScopeGuard scope(*this, scope_);
    ANYBIT_TRY(execute(statement.body, text));
  }
  Value value = Value::string(std::move(text));
  if (statement.value != nullptr) {
    ANYBIT_ASSIGN(value, evaluate_filter(*statement.value, &value));
  }
  return assign(*statement.target, std::move(value));
}

Status Interpreter::execute_macro(const Statement& statement) {
  auto macro = std::make_unique<Macro>();
  macro->definition = statement.macro.get();
  macro->scope = scope_;
  ++num_macros_;
  set_variable(statement.macro->name, Value::object(keep(std::move(macro))));
  return {};
}

Status Interpreter::execute_call_block(const Statement& statement, std::string& out) {
  auto caller = std::make_unique<Macro>();
  caller->definition = statement.macro.get();
  caller->scope = scope_;
  ++num_macros_;
  const Value caller_value = Value::object(keep(std::move(caller)));
  ANYBIT_ASSIGN(const Value value, evaluate_call(*statement.value, &caller_value));
  return print(value, statement.line, out);
}

Result<Interpreter::Flow> Interpreter::execute_filter_block(const Statement& statement,
                                                            std::string& out) {
  const ScopeGuard scope(*this, scope_);
  std::string text;
  ANYBIT_ASSIGN(const Flow flow, execute(statement.body, text));
  const Value input = Value::string(std::move(text));
  ANYBIT_ASSIGN(const Value value, evaluate_filter(*statement.value, &input));
  ANYBIT_TRY(print(value, statement.line, out));
  return flow;
}

Result<Interpreter::Flow> Interpreter::execute_with(const Statement& statement, std::string& out) {
  std::vector<Value> values;
  for (const Assignment& assignment : statement.assignments) {
    ANYBIT_ASSIGN(Value value, evaluate(*assignment.value));
    values.push_back(std::move(value));
  }
  const ScopeGuard scope(*this, scope_);
  for (size_t i = 0; i < values.size(); ++i) {
    ANYBIT_TRY(assign(*statement.assignments[i].target, std::move(values[i])));
  }
  return execute(statement.body, out);
}

Status Interpreter::bind_macro(const Macro& macro, CallArguments& arguments, int line) {
  const MacroDefinition& definition = *macro.definition;
  const auto take_keyword = [&](std::string_view name) -> std::optional<Value> {
    for (auto found = arguments.keyword.begin(); found != arguments.keyword.end(); ++found) {
      if (found->first != name) continue;
      Value value = std::move(found->second);
      arguments.keyword.erase(found);
      return value;
    }
    return std::nullopt;
  };
  for (size_t i = 0; i < definition.parameters.size(); ++i) {
    const MacroDefinition::Parameter& parameter = definition.parameters[i];
    std::optional<Value> value;
    if (i < arguments.positional.size()) {
      value = arguments.positional[i];
    } else {
      value = take_keyword(parameter.name);
    }
    if (!value && parameter.fallback != nullptr) {
      ANYBIT_ASSIGN(value, evaluate(*parameter.fallback));
    }
    if (!value) {
      value = Value::undefined(fmt::format("parameter '{}' was not provided", parameter.name));
    }
    set_variable(parameter.name, *std::move(value));
  }
  if (definition.uses_caller) {
    std::optional<Value> caller = take_keyword("caller");
    set_variable("caller", caller ? *caller : Value::undefined("there is no caller"));
  }
  const size_t num_parameters = std::min(arguments.positional.size(), definition.parameters.size());
  std::vector<Value> more(arguments.positional.begin() + static_cast<int64_t>(num_parameters),
                          arguments.positional.end());
  if (!more.empty() && !definition.uses_varargs) {
    return located<void>(
        template_error("{}: expected at most {} arguments, found {}", definition.name,
                       definition.parameters.size(), arguments.positional.size()),
        line);
  }
  if (definition.uses_varargs) {
    set_variable("varargs", Value::sequence(SequenceKind::kTuple, std::move(more)));
  }
  if (definition.uses_kwargs) {
    set_variable("kwargs", Value::dict(std::move(arguments.keyword)));
  } else if (!arguments.keyword.empty()) {
    return located<void>(template_error("{}: unknown argument '{}'", definition.name,
                                        arguments.keyword.front().first),
                         line);
  }
  return {};
}

Result<Value> Interpreter::call_macro(const Macro& macro, CallArguments arguments, int line) {
  const DepthGuard depth(*this);
  ANYBIT_TRY(located(depth.status(), line));
  const ScopeGuard scope(*this, macro.scope);
  const CounterGuard loop_depth(loop_depth_, 0);
  ANYBIT_TRY(bind_macro(macro, arguments, line));
  std::string out;
  ANYBIT_TRY(execute(macro.definition->body, out));
  return Value::string(std::move(out));
}

}  // namespace anybit::model::jinja
