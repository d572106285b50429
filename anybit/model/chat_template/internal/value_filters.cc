// Filters on single values: numbers, defaults, lengths.
#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdlib>

#include "anybit/model/chat_template/internal/builtin.h"
#include "anybit/model/chat_template/internal/operators.h"
#include "anybit/model/chat_template/internal/text.h"

namespace anybit::model::jinja {
namespace {

Result<Value> filter_abs(Context&, const Value& self, const BoundArguments&) {
  if (self.is_undefined()) return undefined_error(self);
  if (!self.is_number())
    return template_error("abs: expected a number, found a {}", self.type_name());
  if (!self.is_integral()) return Value::number(std::fabs(self.as_double()));
  return self.as_integer() < 0 ? apply_sign(Operator::kNegate, self)
                               : Value::integer(self.as_integer());
}

Result<Value> filter_attr(Context& context, const Value& self, const BoundArguments& arguments) {
  ANYBIT_ASSIGN(const std::string name, arguments.required_string(0));
  if (self.is_dict() && find_method(self, name) == nullptr) {
    return Value::undefined(fmt::format("a dict has no attribute '{}'", name));
  }
  return get_attribute(context, self, name);
}

Result<Value> filter_default(Context&, const Value& self, const BoundArguments& arguments) {
  const bool replaces_false = arguments.truth_or(1, false);
  const bool is_missing = self.is_undefined() || (replaces_false && !self.is_true());
  return is_missing ? arguments.value_or(0, Value::string("")) : self;
}

Result<Value> filter_length(Context&, const Value& self, const BoundArguments&) {
  ANYBIT_ASSIGN(const int64_t length, length_of(self));
  return Value::integer(length);
}

/// Text without surrounding space, and underscores between digits removed, as int() and float()
/// read it; nothing if an underscore stands elsewhere.
std::optional<std::string> number_characters(std::string_view text) {
  text = strip(text);
  const auto is_digit_at = [&](size_t i) {
    return i < text.size() &&
           ((text[i] >= '0' && text[i] <= '9') || (text[i] >= 'a' && text[i] <= 'z') ||
            (text[i] >= 'A' && text[i] <= 'Z'));
  };
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '_') {
      out += text[i];
    } else if (i == 0 || !is_digit_at(i - 1) || !is_digit_at(i + 1)) {
      return std::nullopt;
    }
  }
  return out;
}

std::optional<double> parse_double(std::string_view text) {
  const std::optional<std::string> characters = number_characters(text);
  if (!characters || characters->empty()) return std::nullopt;
  if (characters->find_first_of("xXpP(") != std::string::npos) return std::nullopt;
  char* end = nullptr;
  const double value = std::strtod(characters->c_str(), &end);
  if (end != characters->c_str() + characters->size()) return std::nullopt;
  return value;
}

std::optional<int64_t> parse_integer(std::string_view text, int64_t base) {
  const std::optional<std::string> characters = number_characters(text);
  if (!characters || characters->empty()) return std::nullopt;
  std::string digits = *characters;
  const size_t sign_size = digits[0] == '-' || digits[0] == '+' ? 1 : 0;
  if (digits.size() > sign_size + 2 && digits[sign_size] == '0') {
    const char letter = static_cast<char>(digits[sign_size + 1] | 0x20);
    const int64_t prefix_base = letter == 'x' ? 16 : letter == 'o' ? 8 : letter == 'b' ? 2 : 0;
    if (prefix_base != 0 && prefix_base == base)
      digits.erase(sign_size, 2);
    else if (prefix_base == 2 && base == 16) {
    }  // "0b1" is a hexadecimal number.
    else if (prefix_base != 0)
      return std::nullopt;
  }
  if (digits.size() == sign_size ||
      digits.find_first_of(" \t\n\r\f\v+-", sign_size) != std::string::npos) {
    return std::nullopt;
  }
  char* end = nullptr;
  errno = 0;
  const int64_t value = std::strtoll(digits.c_str(), &end, static_cast<int>(base));
  if (errno != 0 || end != digits.c_str() + digits.size()) return std::nullopt;
  return value;
}

std::optional<int64_t> truncate_to_integer(double value) {
  constexpr double kLimit = 0x1p63;
  if (!(value > -kLimit && value < kLimit)) return std::nullopt;
  return static_cast<int64_t>(value);
}

Result<Value> filter_int(Context&, const Value& self, const BoundArguments& arguments) {
  if (self.is_undefined()) return undefined_error(self);
  ANYBIT_ASSIGN(const int64_t base, arguments.integer_or(1, 10));
  if (base < 2 || base > 36)
    return template_error("int: expected a base of 2 to 36, found {}", base);
  std::optional<int64_t> value;
  if (self.is_integral()) value = self.as_integer();
  if (self.is(Kind::kFloat)) value = truncate_to_integer(self.as_double());
  if (self.is_string()) {
    value = parse_integer(self.as_string(), base);
    if (!value) {
      const std::optional<double> number = parse_double(self.as_string());
      if (number) value = truncate_to_integer(*number);
    }
  }
  return value ? Value::integer(*value) : arguments.value_or(0, Value::integer(0));
}

Result<Value> filter_float(Context&, const Value& self, const BoundArguments& arguments) {
  if (self.is_undefined()) return undefined_error(self);
  std::optional<double> value;
  if (self.is_number()) value = self.as_double();
  if (self.is_string()) value = parse_double(self.as_string());
  return value ? Value::number(*value) : arguments.value_or(0, Value::number(0));
}

Result<Value> filter_round(Context&, const Value& self, const BoundArguments& arguments) {
  if (self.is_undefined()) return undefined_error(self);
  if (!self.is_number())
    return template_error("round: expected a number, found a {}", self.type_name());
  ANYBIT_ASSIGN(const int64_t precision, arguments.integer_or(0, 0));
  ANYBIT_ASSIGN(const std::string method, arguments.string_or(1, "common"));
  constexpr int64_t kMaxPrecision = 300;
  if (precision < -kMaxPrecision || precision > kMaxPrecision) {
    return template_error("round: a precision beyond {}", kMaxPrecision);
  }
  const double value = self.as_double();
  const double unit = std::pow(10.0, static_cast<double>(precision));
  if (method == "ceil") return Value::number(std::ceil(value * unit) / unit);
  if (method == "floor") return Value::number(std::floor(value * unit) / unit);
  if (method != "common") {
    return template_error("round: expected the method common, ceil or floor, found {}", method);
  }
  if (self.is_integral() && precision >= 0) return Value::integer(self.as_integer());
  if (precision < 0) {
    const double rounded = std::nearbyint(value * unit) / unit;
    const std::optional<int64_t> whole = truncate_to_integer(std::nearbyint(rounded));
    if (self.is_integral() && whole) return Value::integer(*whole);
    return Value::number(rounded);
  }
  // Correctly rounded decimals, then the nearest double: what Python's round() does.
  const std::string digits = fmt::format("{:.{}f}", value, static_cast<int>(precision));
  return Value::number(std::strtod(digits.c_str(), nullptr));
}

Result<Value> filter_list(Context& context, const Value& self, const BoundArguments&) {
  ANYBIT_ASSIGN(std::vector<Value> items, iterate(context.budget(), self));
  return Value::list(std::move(items));
}

constexpr Builtin kFilters[] = {
    {"abs", {}, filter_abs},
    {"attr", {"name"}, filter_attr},
    {"count", {}, filter_length},
    {"d", {"default_value", "boolean"}, filter_default},
    {"default", {"default_value", "boolean"}, filter_default},
    {"float", {"default"}, filter_float},
    {"int", {"default", "base"}, filter_int},
    {"length", {}, filter_length},
    {"list", {}, filter_list},
    {"round", {"precision", "method"}, filter_round},
};

}  // namespace

std::span<const Builtin> value_filters() { return kFilters; }

const Builtin* find_filter(std::string_view name) {
  for (const std::span<const Builtin> table :
       {text_filters(), sequence_filters(), value_filters()}) {
    const auto found = std::find_if(table.begin(), table.end(),
                                    [&](const Builtin& row) { return row.name == name; });
    if (found != table.end()) return &*found;
  }
  return nullptr;
}

}  // namespace anybit::model::jinja
