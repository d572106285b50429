#include "anybit/model/chat_template/internal/printing.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "anybit/model/chat_template/internal/operators.h"
#include "anybit/model/chat_template/internal/text.h"

namespace anybit::model::jinja {
namespace {

constexpr int kMaxReprDepth = 150;

void append_escaped_code(int32_t code, std::string& out) {
  if (code < 0x100) {
    out += fmt::format("\\x{:02x}", code);
  } else if (code < 0x10000) {
    out += fmt::format("\\u{:04x}", code);
  } else {
    out += fmt::format("\\U{:08x}", code);
  }
}

std::string string_repr(std::string_view text) {
  const bool has_single = text.find('\'') != text.npos;
  const char quote = has_single && text.find('"') == text.npos ? '"' : '\'';
  std::string out(1, quote);
  for (size_t position = 0; position < text.size();) {
    const Character character = character_at(text, position);
    const std::string_view bytes = text.substr(position, static_cast<size_t>(character.length));
    position += bytes.size();
    if (bytes[0] == quote || bytes[0] == '\\') {
      out.append("\\").append(bytes);
    } else if (bytes[0] == '\n') {
      out += "\\n";
    } else if (bytes[0] == '\r') {
      out += "\\r";
    } else if (bytes[0] == '\t') {
      out += "\\t";
    } else if (!character.is_valid || is_printable(character.code)) {
      out += bytes;
    } else {
      append_escaped_code(character.code, out);
    }
  }
  return out += quote;
}

class ReprWriter {
 public:
  explicit ReprWriter(Budget& budget) : budget_(budget) {}

  Status write(const Value& value, int depth) {
    if (depth > kMaxReprDepth) {
      return fail(ErrorCode::kInvalidArgument, "the value to print is nested deeper than {}",
                  kMaxReprDepth);
    }
    switch (value.kind()) {
      case Kind::kUndefined: return append("Undefined");
      case Kind::kNone: return append("None");
      case Kind::kBool: return append(value.as_bool() ? "True" : "False");
      case Kind::kInt: return append(std::to_string(value.as_integer()));
      case Kind::kFloat: return append(float_repr(value.as_double()));
      case Kind::kString: return append(string_repr(value.as_string()));
      case Kind::kSequence: return write_sequence(value.as_sequence(), depth);
      case Kind::kDict: return write_dict(value.as_dict(), depth);
      case Kind::kObject: return write_object(*value.as_object(), depth);
    }
    return {};
  }

  std::string take() { return std::move(text_); }

 private:
  Status append(std::string_view text) {
    ANYBIT_TRY(budget_.spend_text(text.size()));
    text_ += text;
    return {};
  }

  Status write_sequence(const TemplateSequence& sequence, int depth) {
    if (sequence.kind == SequenceKind::kIterator) return append("<generator object>");
    const bool is_tuple = sequence.kind == SequenceKind::kTuple;
    const bool is_view = sequence.kind == SequenceKind::kView;
    ANYBIT_TRY(append(is_tuple ? "(" : is_view ? "dict_view([" : "["));
    for (size_t i = 0; i < sequence.items.size(); ++i) {
      if (i > 0) ANYBIT_TRY(append(", "));
      ANYBIT_TRY(write(sequence.items[i], depth + 1));
    }
    if (is_tuple) return append(sequence.items.size() == 1 ? ",)" : ")");
    return append(is_view ? "])" : "]");
  }

  Status write_dict(const TemplateDict& dict, int depth) {
    ANYBIT_TRY(append("{"));
    bool is_first = true;
    for (const auto& [key, member] : dict.entries()) {
      if (!is_first) ANYBIT_TRY(append(", "));
      is_first = false;
      ANYBIT_TRY(write(key, depth + 1));
      ANYBIT_TRY(append(": "));
      ANYBIT_TRY(write(member, depth + 1));
    }
    return append("}");
  }

  Status write_object(const Object& object, int depth) {
    if (object.kind() != ObjectKind::kNamespace) {
      return append(fmt::format("<{}>", object.type_name()));
    }
    ANYBIT_TRY(append("<Namespace {"));
    bool is_first = true;
    for (const auto& [key, member] : static_cast<const Namespace&>(object).members) {
      if (!is_first) ANYBIT_TRY(append(", "));
      is_first = false;
      ANYBIT_TRY(append(string_repr(key) + ": "));
      ANYBIT_TRY(write(member, depth + 1));
    }
    return append("}>");
  }

  Budget& budget_;
  std::string text_;
};

std::string json_string(std::string_view text, bool is_ascii_only) {
  std::string out = "\"";
  for (size_t position = 0; position < text.size();) {
    const Character character = character_at(text, position);
    const std::string_view bytes = text.substr(position, static_cast<size_t>(character.length));
    position += bytes.size();
    switch (character.code) {
      case '"': out += "\\\""; continue;
      case '\\': out += "\\\\"; continue;
      case '\n': out += "\\n"; continue;
      case '\r': out += "\\r"; continue;
      case '\t': out += "\\t"; continue;
      case '\b': out += "\\b"; continue;
      case '\f': out += "\\f"; continue;
      default: break;
    }
    const bool must_escape = character.code < 0x20 || (is_ascii_only && character.code > 0x7E);
    if (!must_escape || !character.is_valid) {
      out += bytes;
    } else if (character.code < 0x10000) {
      out += fmt::format("\\u{:04x}", character.code);
    } else {
      const int32_t code = character.code - 0x10000;
      out += fmt::format("\\u{:04x}\\u{:04x}", 0xD800 + (code >> 10), 0xDC00 + (code & 0x3FF));
    }
  }
  return out += '"';
}

std::string json_float(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "Infinity" : "-Infinity";
  return float_repr(value);
}

class JsonWriter {
 public:
  JsonWriter(Budget& budget, const JsonStyle& style) : budget_(budget), style_(style) {}

  Status write(const Value& value, int depth) {
    switch (value.kind()) {
      case Kind::kNone: return append("null");
      case Kind::kBool: return append(value.as_bool() ? "true" : "false");
      case Kind::kInt: return append(std::to_string(value.as_integer()));
      case Kind::kFloat: return append(json_float(value.as_double()));
      case Kind::kString: return append(json_string(value.as_string(), style_.is_ascii_only));
      case Kind::kDict: return write_dict(value.as_dict(), depth);
      case Kind::kSequence: {
        const SequenceKind kind = value.as_sequence().kind;
        if (kind == SequenceKind::kList || kind == SequenceKind::kTuple) {
          return write_list(value.as_sequence().items, depth);
        }
        break;
      }
      case Kind::kUndefined:
      case Kind::kObject: break;
    }
    return fail(ErrorCode::kInvalidArgument, "tojson: a value of type {} has no form in JSON",
                value.type_name());
  }

  std::string take() { return std::move(text_); }

 private:
  Status append(std::string_view text) {
    ANYBIT_TRY(budget_.spend_text(text.size()));
    text_ += text;
    return {};
  }

  Status break_line(int depth) {
    if (!style_.indent) return {};
    ANYBIT_TRY(append("\n"));
    for (int i = 0; i < depth; ++i) ANYBIT_TRY(append(*style_.indent));
    return {};
  }

  Status write_list(const std::vector<Value>& items, int depth) {
    if (items.empty()) return append("[]");
    ANYBIT_TRY(append("["));
    for (size_t i = 0; i < items.size(); ++i) {
      if (i > 0) ANYBIT_TRY(append(style_.item_separator));
      ANYBIT_TRY(break_line(depth + 1));
      ANYBIT_TRY(write(items[i], depth + 1));
    }
    ANYBIT_TRY(break_line(depth));
    return append("]");
  }

  Result<std::string> key_text(const Value& key) const {
    switch (key.kind()) {
      case Kind::kString: return key.as_string();
      case Kind::kNone: return std::string("null");
      case Kind::kBool: return std::string(key.as_bool() ? "true" : "false");
      case Kind::kInt: return std::to_string(key.as_integer());
      case Kind::kFloat: return json_float(key.as_double());
      default:
        return fail(ErrorCode::kInvalidArgument, "tojson: expected a scalar as a key, found a {}",
                    key.type_name());
    }
  }

  Status write_dict(const TemplateDict& dict, int depth) {
    if (dict.size() == 0) return append("{}");
    std::vector<const Value::Entry*> entries;
    for (const Value::Entry& entry : dict.entries()) entries.push_back(&entry);
    if (style_.sorts_keys) {
      for (const Value::Entry* entry : entries) {
        ANYBIT_TRY(compare(budget_, entry->first, entries.front()->first));
      }
      std::stable_sort(entries.begin(), entries.end(), [&](const auto* a, const auto* b) {
        const Result<Ordering> order = compare(budget_, a->first, b->first);
        return order.has_value() && *order == Ordering::kLess;
      });
    }
    ANYBIT_TRY(append("{"));
    for (size_t i = 0; i < entries.size(); ++i) {
      if (i > 0) ANYBIT_TRY(append(style_.item_separator));
      ANYBIT_TRY(break_line(depth + 1));
      ANYBIT_ASSIGN(const std::string key, key_text(entries[i]->first));
      ANYBIT_TRY(append(json_string(key, style_.is_ascii_only) + style_.key_separator));
      ANYBIT_TRY(write(entries[i]->second, depth + 1));
    }
    ANYBIT_TRY(break_line(depth));
    return append("}");
  }

  Budget& budget_;
  const JsonStyle& style_;
  std::string text_;
};

}  // namespace

std::string float_repr(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  char buffer[64];
  const auto end =
      std::to_chars(buffer, buffer + sizeof(buffer), value, std::chars_format::scientific);
  const std::string_view text(buffer, static_cast<size_t>(end.ptr - buffer));
  const size_t exponent_at = text.find('e');
  int exponent = 0;
  const std::string_view exponent_text =
      text.substr(exponent_at + (text[exponent_at + 1] == '+' ? 2 : 1));
  std::from_chars(exponent_text.data(), exponent_text.data() + exponent_text.size(), exponent);
  std::string digits;
  for (const char letter : text.substr(0, exponent_at)) {
    if (letter >= '0' && letter <= '9') digits += letter;
  }
  std::string out = std::signbit(value) ? "-" : "";
  const auto num_digits = static_cast<int>(digits.size());
  if (exponent < -4 || exponent >= 16) {
    out += digits.substr(0, 1);
    if (num_digits > 1) out += "." + digits.substr(1);
    return out + fmt::format("e{}{:02}", exponent < 0 ? '-' : '+', std::abs(exponent));
  }
  if (exponent < 0)
    return out + "0." + std::string(static_cast<size_t>(-exponent - 1), '0') + digits;
  if (num_digits <= exponent + 1) {
    return out + digits + std::string(static_cast<size_t>(exponent + 1 - num_digits), '0') + ".0";
  }
  return out + digits.substr(0, static_cast<size_t>(exponent + 1)) + "." +
         digits.substr(static_cast<size_t>(exponent + 1));
}

Result<std::string> to_text(Budget& budget, const Value& value) {
  if (value.is_string()) return value.as_string();
  if (value.is_undefined()) return std::string();
  return to_repr(budget, value);
}

Result<std::string> to_repr(Budget& budget, const Value& value) {
  ReprWriter writer(budget);
  ANYBIT_TRY(writer.write(value, 0));
  return writer.take();
}

Result<std::string> to_json(Budget& budget, const Value& value, const JsonStyle& style) {
  JsonWriter writer(budget, style);
  ANYBIT_TRY(writer.write(value, 0));
  return writer.take();
}

}  // namespace anybit::model::jinja
