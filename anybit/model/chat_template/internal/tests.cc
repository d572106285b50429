// Jinja's tests: what may follow "is". Each returns true or false.
#include <algorithm>
#include <cmath>

#include "anybit/model/chat_template/internal/builtin.h"
#include "anybit/model/chat_template/internal/operators.h"
#include "anybit/model/chat_template/internal/printing.h"
#include "anybit/model/chat_template/internal/text.h"

namespace anybit::model::jinja {
namespace {

using Predicate = bool (*)(const Value&);

template <Predicate kPredicate>
Result<Value> check(Context&, const Value& self, const BoundArguments&) {
  return Value::boolean(kPredicate(self));
}

template <Operator kOperator>
Result<Value> relation(Context& context, const Value& self, const BoundArguments& arguments) {
  ANYBIT_ASSIGN(const Value other, arguments.required(0));
  ANYBIT_ASSIGN(const bool holds, apply_comparison(context.budget(), kOperator, self, other));
  return Value::boolean(holds);
}

bool is_defined(const Value& value) { return !value.is_undefined(); }
bool is_undefined(const Value& value) { return value.is_undefined(); }
bool is_none(const Value& value) { return value.is_none(); }
bool is_string(const Value& value) { return value.is_string(); }
bool is_mapping(const Value& value) { return value.is_dict(); }
bool is_number(const Value& value) { return value.is_number(); }
bool is_integer(const Value& value) { return value.is(Kind::kInt); }
bool is_float(const Value& value) { return value.is(Kind::kFloat); }
bool is_boolean(const Value& value) { return value.is(Kind::kBool); }
bool is_true(const Value& value) { return value.is(Kind::kBool) && value.as_bool(); }
bool is_false(const Value& value) { return value.is(Kind::kBool) && !value.as_bool(); }
bool is_escaped(const Value&) { return false; }
bool is_iterable(const Value& value) {
  const bool is_loop = value.is(Kind::kObject) && value.as_object()->kind() == ObjectKind::kLoop;
  return value.is_string() || value.is_sequence() || value.is_dict() || value.is_undefined() ||
         is_loop;
}

/// What has a length and items: also dicts, strings, and (as in Jinja) the undefined value.
bool is_sequence(const Value& value) {
  if (value.is_sequence()) {
    const SequenceKind kind = value.as_sequence().kind;
    return kind == SequenceKind::kList || kind == SequenceKind::kTuple;
  }
  return value.is_string() || value.is_dict() || value.is_undefined();
}

bool is_callable(const Value& value) {
  return value.is_undefined() || (value.is(Kind::kObject) && value.as_object()->is_callable());
}

template <bool (*kPredicate)(std::string_view)>
Result<Value> text_check(Context& context, const Value& self, const BoundArguments&) {
  ANYBIT_ASSIGN(const std::string text, to_text(context.budget(), self));
  return Value::boolean(kPredicate(text));
}

Result<bool> is_multiple(const Value& value, int64_t divisor) {
  if (value.is_undefined()) return undefined_error(value);
  if (!value.is_number()) {
    return template_error("expected a number to divide, found a {}", value.type_name());
  }
  if (divisor == 0) return template_error("divisibleby: \"%\" by zero");
  if (!value.is_integral()) return std::fmod(value.as_double(), static_cast<double>(divisor)) == 0;
  return divisor == -1 || value.as_integer() % divisor == 0;
}

/// Whether the value is the name of a filter, or of a test.
template <const Builtin* (*kFind)(std::string_view)>
Result<Value> is_name_of(Context&, const Value& self, const BoundArguments&) {
  ANYBIT_TRY(hash_key(self));
  return Value::boolean(self.is_string() && kFind(self.as_string()) != nullptr);
}

Result<Value> test_divisibleby(Context&, const Value& self, const BoundArguments& arguments) {
  ANYBIT_ASSIGN(const int64_t divisor, arguments.required_integer(0));
  ANYBIT_ASSIGN(const bool holds, is_multiple(self, divisor));
  return Value::boolean(holds);
}

Result<Value> test_even(Context&, const Value& self, const BoundArguments&) {
  ANYBIT_ASSIGN(const bool holds, is_multiple(self, 2));
  return Value::boolean(holds);
}

Result<Value> test_odd(Context&, const Value& self, const BoundArguments&) {
  ANYBIT_ASSIGN(const bool even, is_multiple(self, 2));
  const bool is_whole = self.is_integral() || std::floor(self.as_double()) == self.as_double();
  return Value::boolean(!even && is_whole);
}

Result<Value> test_sameas(Context& context, const Value& self, const BoundArguments& arguments) {
  ANYBIT_ASSIGN(const Value other, arguments.required(0));
  if (self.kind() != other.kind()) return Value::boolean(false);
  if (self.is_sequence()) return Value::boolean(&self.as_sequence() == &other.as_sequence());
  if (self.is_dict()) return Value::boolean(&self.as_dict() == &other.as_dict());
  ANYBIT_ASSIGN(const bool same, is_equal(context.budget(), self, other));
  return Value::boolean(same);
}

constexpr Builtin kTests[] = {
    {"!=", {"other"}, relation<Operator::kNotEqual>},
    {"<", {"other"}, relation<Operator::kLess>},
    {"<=", {"other"}, relation<Operator::kLessEqual>},
    {"==", {"other"}, relation<Operator::kEqual>},
    {">", {"other"}, relation<Operator::kGreater>},
    {">=", {"other"}, relation<Operator::kGreaterEqual>},
    {"boolean", {}, check<is_boolean>},
    {"callable", {}, check<is_callable>},
    {"defined", {}, check<is_defined>},
    {"divisibleby", {"num"}, test_divisibleby},
    {"eq", {"other"}, relation<Operator::kEqual>},
    {"equalto", {"other"}, relation<Operator::kEqual>},
    {"escaped", {}, check<is_escaped>},
    {"even", {}, test_even},
    {"false", {}, check<is_false>},
    {"filter", {}, is_name_of<find_filter>},
    {"float", {}, check<is_float>},
    {"ge", {"other"}, relation<Operator::kGreaterEqual>},
    {"greaterthan", {"other"}, relation<Operator::kGreater>},
    {"gt", {"other"}, relation<Operator::kGreater>},
    {"in", {"other"}, relation<Operator::kIn>},
    {"integer", {}, check<is_integer>},
    {"iterable", {}, check<is_iterable>},
    {"le", {"other"}, relation<Operator::kLessEqual>},
    {"lessthan", {"other"}, relation<Operator::kLess>},
    {"lower", {}, text_check<is_lower>},
    {"lt", {"other"}, relation<Operator::kLess>},
    {"mapping", {}, check<is_mapping>},
    {"ne", {"other"}, relation<Operator::kNotEqual>},
    {"none", {}, check<is_none>},
    {"number", {}, check<is_number>},
    {"odd", {}, test_odd},
    {"sameas", {"other"}, test_sameas},
    {"sequence", {}, check<is_sequence>},
    {"string", {}, check<is_string>},
    {"test", {}, is_name_of<find_test>},
    {"true", {}, check<is_true>},
    {"undefined", {}, check<is_undefined>},
    {"upper", {}, text_check<is_upper>},
};

}  // namespace

const Builtin* find_test(std::string_view name) {
  const auto* found = std::find_if(std::begin(kTests), std::end(kTests),
                                   [&](const Builtin& row) { return row.name == name; });
  return found == std::end(kTests) ? nullptr : found;
}

}  // namespace anybit::model::jinja
