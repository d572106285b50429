// The interpreter's expressions.
#include "anybit/model/chat_template/internal/interpreter.h"
#include "anybit/model/chat_template/internal/interpreter_guards.h"
#include "anybit/model/chat_template/internal/operators.h"
#include "anybit/model/chat_template/internal/printing.h"

namespace anybit::model::jinja {

Result<Value> Interpreter::checked(Result<Value> result, int line) const {
  if (result && result->depth() > kMaxValueDepth) {
    return located<Value>(template_error("a collection is nested deeper than {}", kMaxValueDepth),
                          line);
  }
  return located(std::move(result), line);
}

Result<Value> Interpreter::evaluate(const Expression& expression) {
  const DepthGuard depth(*this);
  ANYBIT_TRY(located(depth.status(), expression.line));
  ANYBIT_TRY(located(budget_.spend_steps(1), expression.line));
  return evaluate_kind(expression);
}

Result<Value> Interpreter::evaluate_kind(const Expression& expression) {
  switch (expression.kind) {
    case ExpressionKind::kConstant: return expression.value;
    case ExpressionKind::kName: return find_variable(expression.name);
    case ExpressionKind::kAttribute: return evaluate_attribute(expression);
    case ExpressionKind::kItem: return evaluate_item(expression);
    case ExpressionKind::kSlice: return evaluate_slice(expression);
    case ExpressionKind::kCall: return evaluate_call(expression, nullptr);
    case ExpressionKind::kFilter: return evaluate_filter(expression, nullptr);
    case ExpressionKind::kTest: return evaluate_test(expression);
    case ExpressionKind::kUnary: return evaluate_unary(expression);
    case ExpressionKind::kBinary: return evaluate_binary(expression);
    case ExpressionKind::kAnd:
    case ExpressionKind::kOr: return evaluate_and_or(expression);
    case ExpressionKind::kCompare: return evaluate_compare(expression);
    case ExpressionKind::kConcat: return evaluate_concat(expression);
    case ExpressionKind::kTernary: return evaluate_ternary(expression);
    case ExpressionKind::kList:
    case ExpressionKind::kTuple: return evaluate_collection(expression);
    case ExpressionKind::kDict: return evaluate_dict(expression);
  }
  return Value();
}

Result<Value> Interpreter::evaluate_attribute(const Expression& expression) {
  ANYBIT_ASSIGN(const Value owner, evaluate(*expression.operands[0]));
  return located(get_attribute(*this, owner, expression.name), expression.line);
}

Result<Value> Interpreter::evaluate_item(const Expression& expression) {
  ANYBIT_ASSIGN(const Value container, evaluate(*expression.operands[0]));
  ANYBIT_ASSIGN(const Value index, evaluate(*expression.operands[1]));
  ANYBIT_ASSIGN(Value found, located(get_item(budget_, container, index), expression.line));
  if (!found.is_undefined() || !index.is_string()) return found;
  if (container.is_dict() && container.as_dict().find(index) != nullptr) return found;
  return located(get_attribute(*this, container, index.as_string()), expression.line);
}

Result<Value> Interpreter::evaluate_slice(const Expression& expression) {
  ANYBIT_ASSIGN(const Value container, evaluate(*expression.operands[0]));
  Value bounds[3] = {Value::none(), Value::none(), Value::none()};
  for (size_t i = 0; i < 3; ++i) {
    if (expression.operands[i + 1] == nullptr) continue;
    ANYBIT_ASSIGN(bounds[i], evaluate(*expression.operands[i + 1]));
  }
  return located(get_slice(budget_, container, bounds[0], bounds[1], bounds[2]), expression.line);
}

Result<Value> Interpreter::evaluate_unary(const Expression& expression) {
  ANYBIT_ASSIGN(const Value operand, evaluate(*expression.operands[0]));
  if (expression.op == Operator::kNot) return Value::boolean(!operand.is_true());
  return located(apply_sign(expression.op, operand), expression.line);
}

Result<Value> Interpreter::evaluate_binary(const Expression& expression) {
  ANYBIT_ASSIGN(const Value left, evaluate(*expression.operands[0]));
  ANYBIT_ASSIGN(const Value right, evaluate(*expression.operands[1]));
  return checked(apply_binary(budget_, expression.op, left, right), expression.line);
}

Result<Value> Interpreter::evaluate_and_or(const Expression& expression) {
  ANYBIT_ASSIGN(Value left, evaluate(*expression.operands[0]));
  if (left.is_true() == (expression.kind == ExpressionKind::kOr)) return left;
  return evaluate(*expression.operands[1]);
}

Result<Value> Interpreter::evaluate_compare(const Expression& expression) {
  ANYBIT_ASSIGN(Value left, evaluate(*expression.operands[0]));
  for (size_t i = 0; i < expression.comparisons.size(); ++i) {
    ANYBIT_ASSIGN(Value right, evaluate(*expression.operands[i + 1]));
    ANYBIT_ASSIGN(const bool holds,
                  located(apply_comparison(budget_, expression.comparisons[i], left, right),
                          expression.line));
    if (!holds) return Value::boolean(false);
    left = std::move(right);
  }
  return Value::boolean(true);
}

Result<Value> Interpreter::evaluate_concat(const Expression& expression) {
  std::string out;
  for (const ExpressionPtr& operand : expression.operands) {
    ANYBIT_ASSIGN(const Value value, evaluate(*operand));
    ANYBIT_TRY(print(value, expression.line, out));
  }
  return Value::string(std::move(out));
}

Result<Value> Interpreter::evaluate_ternary(const Expression& expression) {
  ANYBIT_ASSIGN(const Value condition, evaluate(*expression.operands[1]));
  if (condition.is_true()) return evaluate(*expression.operands[0]);
  if (expression.operands[2] != nullptr) return evaluate(*expression.operands[2]);
  return Value::undefined("the condition is false and there is no else");
}

Result<Value> Interpreter::evaluate_collection(const Expression& expression) {
  std::vector<Value> items;
  ANYBIT_TRY(located(budget_.spend_items(expression.operands.size()), expression.line));
  for (const ExpressionPtr& operand : expression.operands) {
    ANYBIT_ASSIGN(Value item, evaluate(*operand));
    items.push_back(std::move(item));
  }
  const bool is_list = expression.kind == ExpressionKind::kList;
  return checked(
      Value::sequence(is_list ? SequenceKind::kList : SequenceKind::kTuple, std::move(items)),
      expression.line);
}

Result<Value> Interpreter::evaluate_dict(const Expression& expression) {
  auto dict = std::make_shared<TemplateDict>();
  ANYBIT_TRY(located(budget_.spend_items(expression.operands.size()), expression.line));
  for (size_t i = 0; i < expression.operands.size(); i += 2) {
    ANYBIT_ASSIGN(const Value key, evaluate(*expression.operands[i]));
    ANYBIT_ASSIGN(Value member, evaluate(*expression.operands[i + 1]));
    ANYBIT_TRY(located(dict->set(key, std::move(member)), expression.line));
  }
  return checked(Value::dict(std::move(dict)), expression.line);
}

Result<CallArguments> Interpreter::evaluate_arguments(const std::vector<Argument>& arguments,
                                                      int line) {
  CallArguments made;
  for (const Argument& argument : arguments) {
    ANYBIT_ASSIGN(Value value, evaluate(*argument.value));
    switch (argument.kind) {
      case Argument::Kind::kPositional: made.positional.push_back(std::move(value)); break;
      case Argument::Kind::kKeyword:
        made.keyword.emplace_back(argument.name, std::move(value));
        break;
      case Argument::Kind::kUnpackList: {
        ANYBIT_ASSIGN(const std::vector<Value> items, located(iterate(budget_, value), line));
        made.positional.insert(made.positional.end(), items.begin(), items.end());
        break;
      }
      case Argument::Kind::kUnpackDict: {
        if (!value.is_dict()) {
          return located<CallArguments>(
              template_error("expected a dict after \"**\", found a {}", value.type_name()), line);
        }
        for (const auto& [key, member] : value.as_dict().entries()) {
          if (!key.is_string()) {
            return located<CallArguments>(template_error("expected names as keys after \"**\""),
                                          line);
          }
          made.keyword.emplace_back(key.as_string(), member);
        }
        break;
      }
    }
  }
  ANYBIT_TRY(located(budget_.spend_items(made.positional.size() + made.keyword.size()), line));
  return made;
}

Result<Value> Interpreter::evaluate_call(const Expression& expression, const Value* caller) {
  const Expression& callee = *expression.operands[0];
  // A method called where it is named needs no object that stands for it.
  if (callee.kind == ExpressionKind::kAttribute) {
    ANYBIT_ASSIGN(const Value owner, evaluate(*callee.operands[0]));
    if (const Builtin* method = find_method(owner, callee.name)) {
      ANYBIT_ASSIGN(CallArguments arguments,
                    evaluate_arguments(expression.arguments, expression.line));
      return checked(call_builtin(*this, *method, owner, std::move(arguments)), expression.line);
    }
  }
  ANYBIT_ASSIGN(const Value function, evaluate(callee));
  if (function.is_undefined()) return located<Value>(undefined_error(function), expression.line);
  if (!function.is(Kind::kObject) || !function.as_object()->is_callable()) {
    return located<Value>(
        template_error("expected a function to call, found a {}", function.type_name()),
        expression.line);
  }
  ANYBIT_ASSIGN(CallArguments arguments, evaluate_arguments(expression.arguments, expression.line));
  if (caller != nullptr) arguments.keyword.emplace_back("caller", *caller);
  if (function.as_object()->kind() == ObjectKind::kMacro) {
    return call_macro(*static_cast<const Macro*>(function.as_object()), std::move(arguments),
                      expression.line);
  }
  const auto* builtin = static_cast<const Function*>(function.as_object());
  return checked(call_builtin(*this, *builtin->builtin, builtin->self, std::move(arguments)),
                 expression.line);
}

Result<Value> Interpreter::evaluate_filter(const Expression& expression, const Value* input) {
  const DepthGuard depth(*this);
  ANYBIT_TRY(located(depth.status(), expression.line));
  Value operand;
  const Expression* inner = expression.operands[0].get();
  if (inner == nullptr) {
    ANYBIT_CHECK(input != nullptr);
    operand = *input;
  } else if (inner->kind == ExpressionKind::kFilter) {
    ANYBIT_ASSIGN(operand, evaluate_filter(*inner, input));
  } else {
    ANYBIT_ASSIGN(operand, evaluate(*inner));
  }
  if (expression.builtin == nullptr) {
    return located<Value>(template_error("there is no filter '{}'", expression.name),
                          expression.line);
  }
  ANYBIT_ASSIGN(CallArguments arguments, evaluate_arguments(expression.arguments, expression.line));
  return checked(call_builtin(*this, *expression.builtin, operand, std::move(arguments)),
                 expression.line);
}

Result<Value> Interpreter::evaluate_test(const Expression& expression) {
  ANYBIT_ASSIGN(const Value operand, evaluate(*expression.operands[0]));
  if (expression.builtin == nullptr) {
    return located<Value>(template_error("there is no test '{}'", expression.name),
                          expression.line);
  }
  ANYBIT_ASSIGN(CallArguments arguments, evaluate_arguments(expression.arguments, expression.line));
  return located(call_builtin(*this, *expression.builtin, operand, std::move(arguments)),
                 expression.line);
}

}  // namespace anybit::model::jinja
