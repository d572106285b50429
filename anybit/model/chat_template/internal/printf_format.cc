#include "anybit/model/chat_template/internal/printf_format.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "anybit/model/chat_template/internal/operators.h"
#include "anybit/model/chat_template/internal/printing.h"
#include "anybit/model/chat_template/internal/text.h"

namespace anybit::model::jinja {
namespace {

constexpr int64_t kMaxWidth = 10000;

struct Conversion {
  std::string key;  // Of "%(key)s"; may be empty.
  bool has_key = false;
  bool is_left = false, has_zeros = false, has_plus = false, has_space = false;
  int64_t width = 0;
  int64_t precision = -1;
  char letter = 's';
};

/// Reads the digits at `position`. Errors: kInvalidArgument beyond kMaxWidth.
Result<int64_t> read_digits(std::string_view format, size_t& position) {
  int64_t value = 0;
  for (; position < format.size() && format[position] >= '0' && format[position] <= '9';
       ++position) {
    value = value * 10 + (format[position] - '0');
    if (value > kMaxWidth) return template_error("a width beyond {}", kMaxWidth);
  }
  return value;
}

/// Reads what follows a "%" and passes it.
Result<Conversion> read_conversion(std::string_view format, size_t& position) {
  Conversion made;
  if (position < format.size() && format[position] == '(') {
    const size_t end = format.find(')', position);
    if (end == format.npos) return template_error("a conversion \"%(\" without \")\"");
    made.key = std::string(format.substr(position + 1, end - position - 1));
    made.has_key = true;
    position = end + 1;
  }
  for (; position < format.size(); ++position) {
    if (format[position] == '-')
      made.is_left = true;
    else if (format[position] == '0')
      made.has_zeros = true;
    else if (format[position] == '+')
      made.has_plus = true;
    else if (format[position] == ' ')
      made.has_space = true;
    else
      break;
  }
  ANYBIT_ASSIGN(made.width, read_digits(format, position));
  if (position < format.size() && format[position] == '.') {
    ++position;
    ANYBIT_ASSIGN(made.precision, read_digits(format, position));
  }
  if (position >= format.size()) return template_error("a conversion that does not end");
  made.letter = format[position++];
  return made;
}

std::string number_text(const Conversion& conversion, const Value& value) {
  const auto precision = static_cast<int>(conversion.precision < 0 ? 6 : conversion.precision);
  switch (conversion.letter) {
    case 'x': return fmt::format("{:x}", value.as_integer());
    case 'X': return fmt::format("{:X}", value.as_integer());
    case 'o': return fmt::format("{:o}", value.as_integer());
    case 'f':
    case 'F': return fmt::format("{:.{}f}", value.as_double(), precision);
    case 'e': return fmt::format("{:.{}e}", value.as_double(), precision);
    case 'g': return fmt::format("{:.{}g}", value.as_double(), precision);
    default:
      return value.is_integral() ? std::to_string(value.as_integer())
                                 : fmt::format("{:.0f}", std::trunc(value.as_double()));
  }
}

std::string pad(std::string text, const Conversion& conversion, bool is_number) {
  if (is_number && !text.starts_with('-')) {
    if (conversion.has_plus)
      text.insert(0, "+");
    else if (conversion.has_space)
      text.insert(0, " ");
  }
  const int64_t missing = conversion.width - num_characters(text);
  if (missing <= 0) return text;
  const auto count = static_cast<size_t>(missing);
  if (conversion.is_left) return text.append(count, ' ');
  if (!is_number || !conversion.has_zeros) return text.insert(0, count, ' ');
  const bool has_sign = text.find_first_of("+- ") == 0;
  return text.insert(has_sign ? 1 : 0, count, '0');
}

Result<std::string> convert(Budget& budget, const Conversion& conversion, const Value& value) {
  switch (conversion.letter) {
    case 's':
    case 'r': {
      ANYBIT_ASSIGN(std::string text,
                    conversion.letter == 's' ? to_text(budget, value) : to_repr(budget, value));
      if (conversion.precision >= 0 && conversion.precision < num_characters(text)) {
        text.resize(character_offsets(text)[static_cast<size_t>(conversion.precision)]);
      }
      return pad(std::move(text), conversion, false);
    }
    case 'x':
    case 'X':
    case 'o':
      if (!value.is_integral()) break;
      return pad(number_text(conversion, value), conversion, true);
    case 'd':
    case 'i':
    case 'u':
    case 'f':
    case 'F':
    case 'e':
    case 'g':
      if (!value.is_number()) break;
      return pad(number_text(conversion, value), conversion, true);
    default: return template_error("unknown conversion \"%{}\"", conversion.letter);
  }
  return template_error("the conversion \"%{}\" expects a number, found a {}", conversion.letter,
                        value.type_name());
}

}  // namespace

Result<std::string> format_printf(Budget& budget, std::string_view format, const Value& values) {
  const bool is_tuple = values.is_sequence() && values.as_sequence().kind == SequenceKind::kTuple;
  size_t num_used = 0;
  std::string out;
  for (size_t position = 0; position < format.size();) {
    if (format[position] != '%') {
      out += format[position++];
      continue;
    }
    ++position;
    if (position < format.size() && format[position] == '%') {
      out += format[position++];
      continue;
    }
    ANYBIT_ASSIGN(const Conversion conversion, read_conversion(format, position));
    Value value = values;
    if (conversion.has_key) {
      if (!values.is_dict()) return template_error("\"%(name)\" expects a dict");
      const Value* found = values.as_dict().find(conversion.key);
      if (found == nullptr) return template_error("the dict has no member '{}'", conversion.key);
      value = *found;
    } else {
      const size_t num_values = is_tuple ? values.as_sequence().items.size() : 1;
      if (num_used >= num_values) return template_error("too few values for the format");
      if (is_tuple) value = values.as_sequence().items[num_used];
      ++num_used;
    }
    ANYBIT_ASSIGN(const std::string text, convert(budget, conversion, value));
    ANYBIT_TRY(budget.spend_text(text.size()));
    out += text;
  }
  // As Python: a list, a dict and the undefined value may stand there unused.
  const bool may_stay =
      values.is_dict() || values.is_undefined() || (values.is_sequence() && !is_tuple);
  const size_t num_given = is_tuple ? values.as_sequence().items.size() : 1;
  if (num_used < num_given && !may_stay) return template_error("too many values for the format");
  ANYBIT_TRY(budget.spend_text(out.size()));
  return out;
}

Result<std::string> format_braces(Budget& budget, std::string_view format,
                                  const CallArguments& arguments) {
  std::string out;
  size_t next_index = 0;
  for (size_t position = 0; position < format.size();) {
    const char letter = format[position];
    const bool is_doubled = position + 1 < format.size() && format[position + 1] == letter;
    if (letter != '{' && letter != '}') {
      out += letter;
      ++position;
      continue;
    }
    if (is_doubled) {
      out += letter;
      position += 2;
      continue;
    }
    const size_t end = format.find('}', position);
    if (letter == '}' || end == format.npos)
      return template_error("a single \"{}\" in a format", letter);
    const std::string_view field = format.substr(position + 1, end - position - 1);
    position = end + 1;
    if (field.find_first_of(":!.[{") != field.npos) {
      return fail(ErrorCode::kUnsupported, "the format \"{{{}}}\" is not supported", field);
    }
    const Value* value = nullptr;
    size_t index = next_index;
    const bool is_index = field.empty() || std::all_of(field.begin(), field.end(),
                                                       [](char c) { return c >= '0' && c <= '9'; });
    if (is_index) {
      if (field.empty())
        ++next_index;
      else if (std::from_chars(field.data(), field.data() + field.size(), index).ec !=
               std::errc()) {
        index = SIZE_MAX;
      }
      if (index < arguments.positional.size()) value = &arguments.positional[index];
    } else {
      for (const auto& [name, member] : arguments.keyword) {
        if (name == field) value = &member;
      }
    }
    if (value == nullptr) return template_error("the format has no argument for \"{{{}}}\"", field);
    ANYBIT_ASSIGN(const std::string text, to_text(budget, *value));
    ANYBIT_TRY(budget.spend_text(text.size()));
    out += text;
  }
  ANYBIT_TRY(budget.spend_text(out.size()));
  return out;
}

}  // namespace anybit::model::jinja
