// Filters whose result is text.
#include <algorithm>

#include "anybit/model/chat_template/internal/builtin.h"
#include "anybit/model/chat_template/internal/operators.h"
#include "anybit/model/chat_template/internal/printf_format.h"
#include "anybit/model/chat_template/internal/printing.h"
#include "anybit/model/chat_template/internal/text.h"

namespace anybit::model::jinja {
namespace {

Result<Value> make_text(Context& context, std::string text) {
  ANYBIT_TRY(context.budget().spend_text(text.size()));
  return Value::string(std::move(text));
}

/// A filter that maps text to text.
template <std::string (*Map)(std::string_view)>
Result<Value> map_text(Context& context, const Value& self, const BoundArguments&) {
  ANYBIT_ASSIGN(const std::string text, to_text(context.budget(), self));
  return make_text(context, Map(text));
}

Result<Value> filter_string(Context& context, const Value& self, const BoundArguments&) {
  ANYBIT_ASSIGN(std::string text, to_text(context.budget(), self));
  return Value::string(std::move(text));
}

Result<Value> filter_trim(Context& context, const Value& self, const BoundArguments& arguments) {
  ANYBIT_ASSIGN(const std::string text, to_text(context.budget(), self));
  const Value unwanted = arguments.value_or(0, Value::none());
  if (unwanted.is_none()) return make_text(context, std::string(strip(text)));
  ANYBIT_ASSIGN(const std::string characters, arguments.required_string(0));
  return make_text(context, std::string(strip(text, characters, true, true)));
}

Result<Value> filter_replace(Context& context, const Value& self, const BoundArguments& arguments) {
  ANYBIT_ASSIGN(const std::string text, to_text(context.budget(), self));
  ANYBIT_ASSIGN(const Value from_value, arguments.required(0));
  ANYBIT_ASSIGN(const Value to_value, arguments.required(1));
  ANYBIT_ASSIGN(const std::string from, to_text(context.budget(), from_value));
  ANYBIT_ASSIGN(const std::string to, to_text(context.budget(), to_value));
  const Value count = arguments.value_or(2, Value::none());
  int64_t max_count = -1;
  if (!count.is_none()) {
    ANYBIT_ASSIGN(max_count, arguments.required_integer(2));
  }
  const int64_t num_found = count_occurrences(text, from);
  const int64_t growth = static_cast<int64_t>(to.size()) * num_found;
  ANYBIT_TRY(context.budget().spend_text(text.size() + static_cast<size_t>(growth)));
  return Value::string(replace(text, from, to, max_count));
}

Result<Value> filter_indent(Context& context, const Value& self, const BoundArguments& arguments) {
  if (self.is_undefined()) return undefined_error(self);
  if (!self.is_string()) {
    return template_error("indent: expected a string, found a {}", self.type_name());
  }
  const std::string& text = self.as_string();
  std::string margin = "    ";
  if (arguments.has(0)) {
    ANYBIT_ASSIGN(const Value width, arguments.required(0));
    if (width.is_string()) {
      margin = width.as_string();
    } else {
      ANYBIT_ASSIGN(const int64_t num_spaces, arguments.required_integer(0));
      ANYBIT_TRY(
          context.budget().spend_text(static_cast<size_t>(std::max<int64_t>(0, num_spaces))));
      margin = std::string(static_cast<size_t>(std::max<int64_t>(0, num_spaces)), ' ');
    }
  }
  const bool indents_first = arguments.truth_or(1, false);
  const bool indents_blank = arguments.truth_or(2, false);
  const std::string with_end = text + "\n";
  const std::vector<std::string_view> lines = split_lines(with_end);
  std::string out = indents_first ? margin : "";
  for (size_t i = 0; i < lines.size(); ++i) {
    if (i > 0) out += '\n';
    if (i > 0 && (indents_blank || !lines[i].empty())) {
      ANYBIT_TRY(context.budget().spend_text(margin.size()));
      out += margin;
    }
    out += lines[i];
  }
  return make_text(context, std::move(out));
}

Result<Value> filter_center(Context& context, const Value& self, const BoundArguments& arguments) {
  ANYBIT_ASSIGN(std::string text, to_text(context.budget(), self));
  ANYBIT_ASSIGN(const int64_t width, arguments.integer_or(0, 80));
  const int64_t missing = width - num_characters(text);
  if (missing <= 0) return Value::string(std::move(text));
  ANYBIT_TRY(context.budget().spend_text(static_cast<size_t>(missing)));
  const int64_t before = missing / 2 + (missing & width & 1);
  text.insert(0, static_cast<size_t>(before), ' ');
  text.append(static_cast<size_t>(missing - before), ' ');
  return make_text(context, std::move(text));
}

/// Whatever is short enough stays as it is, even if it is not text.
Result<Value> filter_truncate(Context& context, const Value& self,
                              const BoundArguments& arguments) {
  ANYBIT_ASSIGN(const int64_t wanted, arguments.integer_or(0, 255));
  const bool cuts_words = arguments.truth_or(1, false);
  ANYBIT_ASSIGN(const std::string end, arguments.string_or(2, "..."));
  ANYBIT_ASSIGN(const int64_t leeway, arguments.integer_or(3, 5));
  ANYBIT_ASSIGN(const int64_t count, length_of(self));
  const int64_t num_kept = wanted - num_characters(end);
  if (num_kept < 0 || leeway < 0) {
    return template_error("truncate: expected a length of at least {}, found {}",
                          num_characters(end), wanted);
  }
  if (count - leeway <= wanted) return self;
  if (!self.is_string()) {
    return template_error("truncate: expected a string, found a {}", self.type_name());
  }
  const std::string& text = self.as_string();
  const std::vector<size_t> offsets = character_offsets(text);
  std::string kept = text.substr(0, offsets[static_cast<size_t>(num_kept)]);
  if (!cuts_words) {
    const size_t last_space = kept.rfind(' ');
    if (last_space != kept.npos) kept.resize(last_space);
  }
  return make_text(context, kept + end);
}

Result<Value> filter_format(Context& context, const Value& self, const BoundArguments& arguments) {
  ANYBIT_ASSIGN(const std::string text, to_text(context.budget(), self));
  const CallArguments& rest = arguments.rest;
  if (!rest.positional.empty() && !rest.keyword.empty()) {
    return template_error("format: expected positional or keyword arguments, found both");
  }
  Value values = Value::sequence(SequenceKind::kTuple, rest.positional);
  if (!rest.keyword.empty()) values = Value::dict(rest.keyword);
  ANYBIT_ASSIGN(std::string out, format_printf(context.budget(), text, values));
  return Value::string(std::move(out));
}

/// The filter as transformers defines it: plain json.dumps, its parameters in this order.
Result<Value> filter_tojson(Context& context, const Value& self, const BoundArguments& arguments) {
  JsonStyle style;
  const Value indent = arguments.value_or(1, Value::none());
  if (indent.is_string()) {
    style.indent = indent.as_string();
  } else if (!indent.is_none()) {
    ANYBIT_ASSIGN(const int64_t num_spaces, arguments.required_integer(1));
    constexpr int64_t kMaxIndent = 1000;
    style.indent =
        std::string(static_cast<size_t>(std::clamp<int64_t>(num_spaces, 0, kMaxIndent)), ' ');
  }
  if (style.indent) style.item_separator = ",";
  style.is_ascii_only = arguments.truth_or(0, false);
  const Value separators = arguments.value_or(2, Value::none());
  if (!separators.is_none()) {
    ANYBIT_ASSIGN(const std::vector<Value> pair, iterate(context.budget(), separators));
    if (pair.size() != 2 || !pair[0].is_string() || !pair[1].is_string()) {
      return template_error("tojson: separators: expected two strings");
    }
    style.item_separator = pair[0].as_string();
    style.key_separator = pair[1].as_string();
  }
  style.sorts_keys = arguments.truth_or(3, false);
  ANYBIT_ASSIGN(std::string text, to_json(context.budget(), self, style));
  return Value::string(std::move(text));
}

Result<Value> filter_join(Context& context, const Value& self, const BoundArguments& arguments) {
  ANYBIT_ASSIGN(std::vector<Value> items, iterate(context.budget(), self));
  ANYBIT_ASSIGN(const std::string separator,
                to_text(context.budget(), arguments.value_or(0, Value::string(""))));
  const Value attribute = arguments.value_or(1, Value::none());
  if (!attribute.is_none()) {
    for (Value& item : items) {
      ANYBIT_ASSIGN(item, get_path(context, item, attribute));
    }
  }
  std::string out;
  for (size_t i = 0; i < items.size(); ++i) {
    if (i > 0) out += separator;
    ANYBIT_ASSIGN(const std::string text, to_text(context.budget(), items[i]));
    ANYBIT_TRY(context.budget().spend_text(text.size() + separator.size()));
    out += text;
  }
  return Value::string(std::move(out));
}

Result<Value> filter_wordcount(Context& context, const Value& self, const BoundArguments&) {
  ANYBIT_ASSIGN(const std::string text, to_text(context.budget(), self));
  ANYBIT_TRY(context.budget().spend_text(text.size()));
  int64_t count = 0;
  bool is_in_word = false;
  for (size_t position = 0; position < text.size();) {
    const Character character = character_at(text, position);
    const bool is_word =
        character.code == '_' || !character.is_valid ||
        is_alnum(std::string_view(text).substr(position, static_cast<size_t>(character.length)));
    count += is_word && !is_in_word ? 1 : 0;
    is_in_word = is_word;
    position += static_cast<size_t>(character.length);
  }
  return Value::integer(count);
}

constexpr Builtin kFilters[] = {
    {"capitalize", {}, map_text<capitalize>},
    {"center", {"width"}, filter_center},
    {"e", {}, map_text<escape_html>},
    {"escape", {}, map_text<escape_html>},
    {"forceescape", {}, map_text<escape_html>},
    {"format", {"*"}, filter_format},
    {"indent", {"width", "first", "blank"}, filter_indent},
    {"join", {"d", "attribute"}, filter_join},
    {"lower", {}, map_text<lower>},
    {"replace", {"old", "new", "count"}, filter_replace},
    {"safe", {}, filter_string},
    {"string", {}, filter_string},
    {"title", {}, map_text<title_words>},
    {"tojson", {"ensure_ascii", "indent", "separators", "sort_keys"}, filter_tojson},
    {"trim", {"chars"}, filter_trim},
    {"truncate", {"length", "killwords", "end", "leeway"}, filter_truncate},
    {"upper", {}, map_text<upper>},
    {"wordcount", {}, filter_wordcount},
};

}  // namespace

std::span<const Builtin> text_filters() { return kFilters; }

}  // namespace anybit::model::jinja
