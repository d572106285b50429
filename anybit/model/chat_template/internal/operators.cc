#include "anybit/model/chat_template/internal/operators.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "anybit/base/integer.h"
#include "anybit/model/chat_template/internal/printf_format.h"
#include "anybit/model/chat_template/internal/text.h"

namespace anybit::model::jinja {
namespace {

constexpr std::array<std::string_view, 18> kOperatorNames = {
    "not", "-",  "+",  "+", "-",  "*", "/",  "//", "%",
    "**",  "==", "!=", "<", "<=", ">", ">=", "in", "not in"};

std::string_view name_of(Operator op) { return kOperatorNames[static_cast<size_t>(op)]; }

Ordering order_of(double a, double b) {
  if (a < b) return Ordering::kLess;
  if (a > b) return Ordering::kGreater;
  return a == b ? Ordering::kEqual : Ordering::kUnordered;
}

template <class T>
Ordering order_of_ordered(const T& a, const T& b) {
  return a < b ? Ordering::kLess : b < a ? Ordering::kGreater : Ordering::kEqual;
}

Ordering compare_numbers(const Value& a, const Value& b) {
  if (a.is_integral() && b.is_integral()) return order_of_ordered(a.as_integer(), b.as_integer());
  return order_of(a.as_double(), b.as_double());
}

bool is_list_or_tuple(const Value& value) {
  return value.is_sequence() && (value.as_sequence().kind == SequenceKind::kList ||
                                 value.as_sequence().kind == SequenceKind::kTuple);
}

bool is_same_collection(const Value& a, const Value& b) {
  return is_list_or_tuple(a) && is_list_or_tuple(b) && a.as_sequence().kind == b.as_sequence().kind;
}

Result<bool> are_equal_items(Budget& budget, const std::vector<Value>& a,
                             const std::vector<Value>& b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    ANYBIT_ASSIGN(const bool same, is_equal(budget, a[i], b[i]));
    if (!same) return false;
  }
  return true;
}

Result<bool> are_equal_dicts(Budget& budget, const TemplateDict& a, const TemplateDict& b) {
  if (a.size() != b.size()) return false;
  for (const auto& [key, member] : a.entries()) {
    ANYBIT_TRY(budget.spend_steps(1));
    const Value* other = b.find(key);
    if (other == nullptr) return false;
    ANYBIT_ASSIGN(const bool same, is_equal(budget, member, *other));
    if (!same) return false;
  }
  return true;
}

tl::unexpected<Error> overflow(Operator op) {
  return template_error("the result of \"{}\" does not fit into 64 bits", name_of(op));
}

tl::unexpected<Error> wrong_types(Operator op, const Value& left, const Value& right) {
  return template_error("\"{}\" cannot combine {} and {}", name_of(op), left.type_name(),
                        right.type_name());
}

Result<Value> integer_power(int64_t base, int64_t exponent) {
  if (exponent < 0) {
    if (base == 0) return template_error("0 has no negative power");
    return Value::number(std::pow(static_cast<double>(base), static_cast<double>(exponent)));
  }
  int64_t result = 1;
  for (int64_t factor = base; exponent > 0; exponent /= 2) {
    if (exponent % 2 == 1 && __builtin_mul_overflow(result, factor, &result)) {
      return overflow(Operator::kPower);
    }
    if (exponent > 1 && __builtin_mul_overflow(factor, factor, &factor)) {
      return overflow(Operator::kPower);
    }
  }
  return Value::integer(result);
}

Result<Value> integer_arithmetic(Operator op, int64_t a, int64_t b) {
  int64_t result = 0;
  switch (op) {
    case Operator::kAdd:
      if (__builtin_add_overflow(a, b, &result)) return overflow(op);
      return Value::integer(result);
    case Operator::kSubtract:
      if (__builtin_sub_overflow(a, b, &result)) return overflow(op);
      return Value::integer(result);
    case Operator::kMultiply:
      if (__builtin_mul_overflow(a, b, &result)) return overflow(op);
      return Value::integer(result);
    case Operator::kPower: return integer_power(a, b);
    default: break;
  }
  if (b == 0) return template_error("\"{}\" by zero", name_of(op));
  if (op == Operator::kDivide) {
    return Value::number(static_cast<double>(a) / static_cast<double>(b));
  }
  if (b == -1) {
    if (op == Operator::kModulo) return Value::integer(0);
    if (__builtin_sub_overflow(int64_t{0}, a, &result)) return overflow(op);
    return Value::integer(result);
  }
  const bool rounds_down = a % b != 0 && (a < 0) != (b < 0);
  if (op == Operator::kFloorDivide) return Value::integer(a / b - (rounds_down ? 1 : 0));
  return Value::integer(a % b + (rounds_down ? b : 0));
}

Result<Value> float_arithmetic(Operator op, double a, double b) {
  switch (op) {
    case Operator::kAdd: return Value::number(a + b);
    case Operator::kSubtract: return Value::number(a - b);
    case Operator::kMultiply: return Value::number(a * b);
    case Operator::kPower: {
      const double power = std::pow(a, b);
      if (a == 0 && b < 0) return template_error("0 has no negative power");
      if (std::isinf(power) && std::isfinite(a) && std::isfinite(b)) return overflow(op);
      if (std::isnan(power) && !std::isnan(a) && !std::isnan(b)) {
        return template_error("a negative number has no fractional power");
      }
      return Value::number(power);
    }
    default: break;
  }
  if (b == 0) return template_error("\"{}\" by zero", name_of(op));
  if (op == Operator::kDivide) return Value::number(a / b);
  double remainder = std::fmod(a, b);
  double quotient = (a - remainder) / b;
  if (remainder != 0) {
    if ((b < 0) != (remainder < 0)) {
      remainder += b;
      quotient -= 1;
    }
  } else {
    remainder = std::copysign(0.0, b);
  }
  if (op == Operator::kModulo) return Value::number(remainder);
  if (quotient == 0) return Value::number(std::copysign(0.0, a / b));
  const double whole = std::floor(quotient);
  return Value::number(quotient - whole > 0.5 ? whole + 1 : whole);
}

Result<Value> repeat(Budget& budget, const Value& collection, int64_t count) {
  count = std::max<int64_t>(count, 0);
  if (collection.is_string()) {
    const std::string& text = collection.as_string();
    const auto size = checked_product(count, static_cast<int64_t>(text.size()));
    if (!size) return overflow(Operator::kMultiply);
    ANYBIT_TRY(budget.spend_text(static_cast<size_t>(*size)));
    std::string out;
    out.reserve(static_cast<size_t>(*size));
    while (out.size() < static_cast<size_t>(*size)) out += text;
    return Value::string(std::move(out));
  }
  const std::vector<Value>& items = collection.as_sequence().items;
  const auto size = checked_product(count, static_cast<int64_t>(items.size()));
  if (!size) return overflow(Operator::kMultiply);
  ANYBIT_TRY(budget.spend_items(static_cast<size_t>(*size)));
  std::vector<Value> out;
  out.reserve(static_cast<size_t>(*size));
  while (out.size() < static_cast<size_t>(*size)) {
    out.insert(out.end(), items.begin(), items.end());
  }
  return Value::sequence(collection.as_sequence().kind, std::move(out));
}

Result<Value> concatenate(Budget& budget, const Value& left, const Value& right) {
  if (left.is_string()) {
    ANYBIT_TRY(budget.spend_text(left.as_string().size() + right.as_string().size()));
    return Value::string(left.as_string() + right.as_string());
  }
  std::vector<Value> items = left.as_sequence().items;
  const std::vector<Value>& more = right.as_sequence().items;
  ANYBIT_TRY(budget.spend_items(items.size() + more.size()));
  items.insert(items.end(), more.begin(), more.end());
  return Value::sequence(left.as_sequence().kind, std::move(items));
}

Value item_at(const std::vector<Value>& items, int64_t index) {
  const auto count = static_cast<int64_t>(items.size());
  if (index < 0) index += count;
  if (index < 0 || index >= count) {
    return Value::undefined(fmt::format("the list of {} items has no item {}", count, index));
  }
  return items[static_cast<size_t>(index)];
}

Result<std::optional<int64_t>> slice_bound(const Value& value) {
  if (value.is_none()) return std::optional<int64_t>();
  if (value.is_integral()) return std::optional<int64_t>(value.as_integer());
  return template_error("a slice takes integers, found a {}", value.type_name());
}

/// Indices of items that a slice of `count` items takes, by Python's rules.
Result<std::vector<int64_t>> slice_indices(Budget& budget, int64_t count, const Value& start,
                                           const Value& stop, const Value& step) {
  ANYBIT_ASSIGN(const std::optional<int64_t> step_given, slice_bound(step));
  ANYBIT_ASSIGN(const std::optional<int64_t> start_given, slice_bound(start));
  ANYBIT_ASSIGN(const std::optional<int64_t> stop_given, slice_bound(stop));
  const int64_t stride = std::clamp<int64_t>(step_given.value_or(1), -INT32_MAX, INT32_MAX);
  if (stride == 0) return template_error("the step of a slice is zero");
  const int64_t low = stride > 0 ? 0 : -1;
  const int64_t high = stride > 0 ? count : count - 1;
  const auto place = [&](std::optional<int64_t> bound, int64_t fallback) {
    if (!bound) return fallback;
    return std::clamp(*bound < 0 ? *bound + count : *bound, low, high);
  };
  const int64_t first = place(start_given, stride > 0 ? 0 : count - 1);
  const int64_t last = place(stop_given, stride > 0 ? count : -1);
  std::vector<int64_t> indices;
  for (int64_t i = first; stride > 0 ? i < last : i > last; i += stride) indices.push_back(i);
  ANYBIT_TRY(budget.spend_items(indices.size()));
  return indices;
}

}  // namespace

tl::unexpected<Error> undefined_error(const Value& value) {
  const std::string_view reason = value.undefined_reason();
  return template_error("{}", reason.empty() ? "the value is undefined" : reason);
}

Result<bool> is_equal(Budget& budget, const Value& a, const Value& b) {
  ANYBIT_TRY(budget.spend_steps(1));
  if (a.is_number() && b.is_number()) return compare_numbers(a, b) == Ordering::kEqual;
  if (a.kind() != b.kind()) return false;
  switch (a.kind()) {
    case Kind::kString:
      ANYBIT_TRY(budget.spend_steps(static_cast<int64_t>(a.as_string().size() / 64)));
      return a.as_string() == b.as_string();
    case Kind::kSequence:
      if (!is_same_collection(a, b)) return &a.as_sequence() == &b.as_sequence();
      return are_equal_items(budget, a.as_sequence().items, b.as_sequence().items);
    case Kind::kDict: return are_equal_dicts(budget, a.as_dict(), b.as_dict());
    case Kind::kObject: return a.as_object() == b.as_object();
    default: return true;
  }
}

Result<Ordering> compare(Budget& budget, const Value& a, const Value& b) {
  ANYBIT_TRY(budget.spend_steps(1));
  if (a.is_undefined()) return undefined_error(a);
  if (b.is_undefined()) return undefined_error(b);
  if (a.is_number() && b.is_number()) return compare_numbers(a, b);
  if (a.is_string() && b.is_string()) return order_of_ordered(a.as_string(), b.as_string());
  if (!is_same_collection(a, b)) {
    return template_error("there is no order between {} and {}", a.type_name(), b.type_name());
  }
  const std::vector<Value>& left = a.as_sequence().items;
  const std::vector<Value>& right = b.as_sequence().items;
  for (size_t i = 0; i < std::min(left.size(), right.size()); ++i) {
    ANYBIT_ASSIGN(const bool same, is_equal(budget, left[i], right[i]));
    if (!same) return compare(budget, left[i], right[i]);
  }
  return order_of_ordered(left.size(), right.size());
}

Result<bool> apply_comparison(Budget& budget, Operator op, const Value& left, const Value& right) {
  if (op == Operator::kIn || op == Operator::kNotIn) {
    ANYBIT_ASSIGN(const bool is_inside, contains(budget, right, left));
    return is_inside == (op == Operator::kIn);
  }
  if (op == Operator::kEqual || op == Operator::kNotEqual) {
    ANYBIT_ASSIGN(const bool same, is_equal(budget, left, right));
    return same == (op == Operator::kEqual);
  }
  ANYBIT_ASSIGN(const Ordering order, compare(budget, left, right));
  switch (op) {
    case Operator::kLess: return order == Ordering::kLess;
    case Operator::kLessEqual: return order == Ordering::kLess || order == Ordering::kEqual;
    case Operator::kGreater: return order == Ordering::kGreater;
    default: return order == Ordering::kGreater || order == Ordering::kEqual;
  }
}

Result<bool> contains(Budget& budget, const Value& container, const Value& item) {
  ANYBIT_TRY(budget.spend_steps(1));
  if (container.is_string()) {
    if (item.is_undefined()) return undefined_error(item);
    if (!item.is_string()) {
      return template_error("\"in\" of a string expects a string, found a {}", item.type_name());
    }
    ANYBIT_TRY(budget.spend_steps(static_cast<int64_t>(container.as_string().size() / 16)));
    return container.as_string().find(item.as_string()) != std::string::npos;
  }
  if (container.is_dict()) {
    ANYBIT_TRY(hash_key(item));
    return container.as_dict().find(item) != nullptr;
  }
  if (container.is_sequence()) {
    for (const Value& candidate : container.as_sequence().items) {
      ANYBIT_ASSIGN(const bool same, is_equal(budget, candidate, item));
      if (same) return true;
    }
    return false;
  }
  if (container.is_undefined()) return false;
  return template_error("\"in\" expects a collection, found a {}", container.type_name());
}

Result<Value> apply_binary(Budget& budget, Operator op, const Value& left, const Value& right) {
  if (left.is_undefined()) return undefined_error(left);
  if (op == Operator::kModulo && left.is_string()) {
    ANYBIT_ASSIGN(std::string text, format_printf(budget, left.as_string(), right));
    return Value::string(std::move(text));
  }
  if (right.is_undefined()) return undefined_error(right);
  if (left.is_integral() && right.is_integral()) {
    return integer_arithmetic(op, left.as_integer(), right.as_integer());
  }
  if (left.is_number() && right.is_number()) {
    return float_arithmetic(op, left.as_double(), right.as_double());
  }
  const auto is_collection = [](const Value& value) {
    return value.is_string() || is_list_or_tuple(value);
  };
  if (op == Operator::kMultiply && is_collection(left) && right.is_integral()) {
    return repeat(budget, left, right.as_integer());
  }
  if (op == Operator::kMultiply && left.is_integral() && is_collection(right)) {
    return repeat(budget, right, left.as_integer());
  }
  if (op == Operator::kAdd &&
      ((left.is_string() && right.is_string()) || is_same_collection(left, right))) {
    return concatenate(budget, left, right);
  }
  return wrong_types(op, left, right);
}

Result<Value> apply_sign(Operator op, const Value& operand) {
  if (operand.is_undefined()) return undefined_error(operand);
  if (!operand.is_number()) {
    return template_error("\"{}\" expects a number, found a {}", name_of(op), operand.type_name());
  }
  if (operand.is_integral()) {
    if (op == Operator::kPlus) return Value::integer(operand.as_integer());
    return integer_arithmetic(Operator::kSubtract, 0, operand.as_integer());
  }
  return Value::number(op == Operator::kPlus ? operand.as_double() : -operand.as_double());
}

Result<Value> get_item(Budget& budget, const Value& container, const Value& index) {
  ANYBIT_TRY(budget.spend_steps(1));
  if (container.is_undefined()) return undefined_error(container);
  if (container.is_dict()) {
    if (const Value* found = container.as_dict().find(index)) return *found;
    return Value::undefined(index.is_string()
                                ? fmt::format("the dict has no member '{}'", index.as_string())
                                : "the dict has no such member");
  }
  if (index.is_integral() && is_list_or_tuple(container)) {
    return item_at(container.as_sequence().items, index.as_integer());
  }
  if (index.is_integral() && container.is_string()) {
    const std::string& text = container.as_string();
    ANYBIT_TRY(budget.spend_steps(static_cast<int64_t>(text.size() / 16)));
    const std::vector<size_t> offsets = character_offsets(text);
    const auto count = static_cast<int64_t>(offsets.size()) - 1;
    const int64_t place = index.as_integer() + (index.as_integer() < 0 ? count : 0);
    if (place < 0 || place >= count) return Value::undefined("the string has no such character");
    const size_t begin = offsets[static_cast<size_t>(place)];
    return Value::string(text.substr(begin, offsets[static_cast<size_t>(place) + 1] - begin));
  }
  return Value::undefined(fmt::format("a {} has no item of that name", container.type_name()));
}

Result<Value> get_slice(Budget& budget, const Value& container, const Value& start,
                        const Value& stop, const Value& step) {
  if (container.is_undefined()) return undefined_error(container);
  if (is_list_or_tuple(container)) {
    const std::vector<Value>& items = container.as_sequence().items;
    ANYBIT_ASSIGN(const std::vector<int64_t> indices,
                  slice_indices(budget, static_cast<int64_t>(items.size()), start, stop, step));
    std::vector<Value> taken;
    taken.reserve(indices.size());
    for (const int64_t index : indices) taken.push_back(items[static_cast<size_t>(index)]);
    return Value::sequence(container.as_sequence().kind, std::move(taken));
  }
  if (!container.is_string()) {
    return template_error("expected a string or a list to slice, found a {}",
                          container.type_name());
  }
  const std::string_view text = container.as_string();
  ANYBIT_TRY(budget.spend_text(text.size()));
  const std::vector<size_t> offsets = character_offsets(text);
  ANYBIT_ASSIGN(const std::vector<int64_t> indices,
                slice_indices(budget, static_cast<int64_t>(offsets.size()) - 1, start, stop, step));
  std::string taken;
  for (const int64_t index : indices) {
    const size_t begin = offsets[static_cast<size_t>(index)];
    taken += text.substr(begin, offsets[static_cast<size_t>(index) + 1] - begin);
  }
  return Value::string(std::move(taken));
}

Result<std::vector<Value>> iterate(Budget& budget, const Value& value) {
  std::vector<Value> items;
  if (value.is_sequence()) {
    items = value.as_sequence().items;
  } else if (value.is_dict()) {
    for (const auto& [key, member] : value.as_dict().entries()) items.push_back(key);
  } else if (value.is_string()) {
    ANYBIT_TRY(budget.spend_items(value.as_string().size()));
    const std::vector<size_t> offsets = character_offsets(value.as_string());
    for (size_t i = 0; i + 1 < offsets.size(); ++i) {
      items.push_back(
          Value::string(value.as_string().substr(offsets[i], offsets[i + 1] - offsets[i])));
    }
  } else if (!value.is_undefined()) {
    return template_error("expected a collection to go through, found a {}", value.type_name());
  }
  ANYBIT_TRY(budget.spend_items(items.size()));
  return items;
}

Result<int64_t> length_of(const Value& value) {
  if (value.is_undefined()) return 0;
  if (value.is_string()) return num_characters(value.as_string());
  if (value.is_dict()) return value.as_dict().size();
  if (value.is_sequence() && value.as_sequence().kind != SequenceKind::kIterator) {
    return static_cast<int64_t>(value.as_sequence().items.size());
  }
  if (value.is(Kind::kObject) && value.as_object()->kind() == ObjectKind::kLoop) {
    return static_cast<int64_t>(static_cast<const Loop*>(value.as_object())->items.size());
  }
  return template_error("expected a value that has a length, found a {}", value.type_name());
}

}  // namespace anybit::model::jinja
