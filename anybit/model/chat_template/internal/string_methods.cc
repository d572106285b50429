#include "anybit/model/chat_template/internal/string_methods.h"

#include <algorithm>

#include "anybit/base/integer.h"
#include "anybit/model/chat_template/internal/operators.h"
#include "anybit/model/chat_template/internal/printf_format.h"
#include "anybit/model/chat_template/internal/text.h"

namespace anybit::model::jinja {
namespace {

Result<Value> make_text(Context& context, std::string text) {
  ANYBIT_TRY(context.budget().spend_text(text.size()));
  return Value::string(std::move(text));
}

Result<Value> make_list(Context& context, const std::vector<std::string_view>& parts) {
  ANYBIT_TRY(context.budget().spend_items(parts.size()));
  std::vector<Value> items;
  items.reserve(parts.size());
  for (const std::string_view part : parts) {
    ANYBIT_TRY(context.budget().spend_bytes(static_cast<int64_t>(part.size())));
    items.push_back(Value::string(std::string(part)));
  }
  return Value::list(std::move(items));
}

template <std::string (*kMap)(std::string_view)>
Result<Value> map_text(Context& context, const Value& self, const BoundArguments&) {
  return make_text(context, kMap(self.as_string()));
}

template <bool (*kPredicate)(std::string_view)>
Result<Value> check_text(Context& context, const Value& self, const BoundArguments&) {
  ANYBIT_TRY(context.budget().spend_text(self.as_string().size()));
  return Value::boolean(kPredicate(self.as_string()));
}

template <bool kAtStart, bool kAtEnd>
Result<Value> method_strip(Context& context, const Value& self, const BoundArguments& arguments) {
  const std::string& text = self.as_string();
  if (arguments.value_or(0, Value::none()).is_none()) {
    return make_text(context, std::string(strip(text, kAtStart, kAtEnd)));
  }
  ANYBIT_ASSIGN(const std::string unwanted, arguments.required_string(0));
  return make_text(context, std::string(strip(text, unwanted, kAtStart, kAtEnd)));
}

/// The part of `text` that start and stop (parameters 1 and 2) leave, as Python slices it; nothing
/// if start lies behind the end.
Result<std::optional<std::string_view>> bounded(std::string_view text,
                                                const BoundArguments& arguments) {
  if (!arguments.has(1)) return std::optional<std::string_view>(text);
  const std::vector<size_t> offsets = character_offsets(text);
  const auto count = static_cast<int64_t>(offsets.size()) - 1;
  const auto place = [&](size_t index, int64_t fallback) -> Result<int64_t> {
    if (arguments.value_or(index, Value::none()).is_none()) return fallback;
    ANYBIT_ASSIGN(const int64_t bound, arguments.required_integer(index));
    return bound < 0 ? std::max<int64_t>(0, bound + count) : bound;
  };
  ANYBIT_ASSIGN(const int64_t start, place(1, 0));
  ANYBIT_ASSIGN(const int64_t stop_given, place(2, count));
  const int64_t stop = std::min(stop_given, count);
  if (start > count || start > stop) return std::optional<std::string_view>();
  const size_t begin = offsets[static_cast<size_t>(start)];
  return std::optional(text.substr(begin, offsets[static_cast<size_t>(stop)] - begin));
}

template <bool kAtStart>
Result<Value> method_affix(Context&, const Value& self, const BoundArguments& arguments) {
  ANYBIT_ASSIGN(const Value wanted, arguments.required(0));
  ANYBIT_ASSIGN(const auto text, bounded(self.as_string(), arguments));
  const bool is_tuple = wanted.is_sequence() && wanted.as_sequence().kind == SequenceKind::kTuple;
  const std::vector<Value> choices =
      is_tuple ? wanted.as_sequence().items : std::vector<Value>{wanted};
  for (const Value& choice : choices) {
    if (!choice.is_string()) {
      return template_error("{}: expected a string or a tuple of strings, found a {}",
                            arguments.function, choice.type_name());
    }
    if (!text) continue;
    const bool fits =
        kAtStart ? text->starts_with(choice.as_string()) : text->ends_with(choice.as_string());
    if (fits) return Value::boolean(true);
  }
  return Value::boolean(false);
}

/// find, rfind, index, rindex: position in characters.
template <bool kFromEnd, bool kMustExist>
Result<Value> method_find(Context& context, const Value& self, const BoundArguments& arguments) {
  ANYBIT_ASSIGN(const std::string wanted, arguments.required_string(0));
  ANYBIT_TRY(context.budget().spend_text(self.as_string().size()));
  ANYBIT_ASSIGN(const auto text, bounded(self.as_string(), arguments));
  size_t found = std::string::npos;
  if (text) found = kFromEnd ? text->rfind(wanted) : text->find(wanted);
  if (found != std::string::npos) {
    const size_t before = static_cast<size_t>(text->data() - self.as_string().data()) + found;
    return Value::integer(num_characters(std::string_view(self.as_string()).substr(0, before)));
  }
  if (kMustExist) return template_error("{}: the substring is not there", arguments.function);
  return Value::integer(-1);
}

Result<Value> method_count(Context& context, const Value& self, const BoundArguments& arguments) {
  ANYBIT_ASSIGN(const std::string wanted, arguments.required_string(0));
  ANYBIT_TRY(context.budget().spend_text(self.as_string().size()));
  ANYBIT_ASSIGN(const auto text, bounded(self.as_string(), arguments));
  return Value::integer(text ? count_occurrences(*text, wanted) : 0);
}

std::vector<std::string_view> split_at_space(std::string_view text, int64_t max_splits) {
  std::vector<std::string_view> parts;
  text = strip(text, true, false);
  while (!text.empty()) {
    if (max_splits >= 0 && static_cast<int64_t>(parts.size()) == max_splits) {
      parts.push_back(strip(text, false, true));
      break;
    }
    size_t end = 0;
    while (end < text.size()) {
      const Character character = character_at(text, end);
      if (character.is_valid && is_space(character.code)) break;
      end += static_cast<size_t>(character.length);
    }
    parts.push_back(text.substr(0, end));
    text = strip(text.substr(end), true, false);
  }
  return parts;
}

std::vector<std::string_view> split_at_space_from_end(std::string_view text, int64_t max_splits) {
  if (max_splits < 0) return split_at_space(text, -1);
  const std::vector<std::string_view> all = split_at_space(text, -1);
  const int64_t num_first = static_cast<int64_t>(all.size()) - max_splits;
  if (num_first <= 1) return all;
  if (max_splits == 0) return {strip(text, false, true)};
  const std::string_view last = all[static_cast<size_t>(num_first - 1)];
  const auto size = static_cast<size_t>(last.data() + last.size() - text.data());
  std::vector<std::string_view> parts = {text.substr(0, size)};
  parts.insert(parts.end(), all.begin() + num_first, all.end());
  return parts;
}

std::vector<std::string_view> split_at(std::string_view text, std::string_view separator,
                                       int64_t max_splits, bool from_end) {
  std::vector<std::string_view> parts;
  while (max_splits < 0 || static_cast<int64_t>(parts.size()) < max_splits) {
    const size_t found = from_end ? text.rfind(separator) : text.find(separator);
    if (found == text.npos) break;
    const std::string_view after = text.substr(found + separator.size());
    parts.push_back(from_end ? after : text.substr(0, found));
    text = from_end ? text.substr(0, found) : after;
  }
  parts.push_back(text);
  if (from_end) std::reverse(parts.begin(), parts.end());
  return parts;
}

template <bool kFromEnd>
Result<Value> method_split(Context& context, const Value& self, const BoundArguments& arguments) {
  const std::string& text = self.as_string();
  ANYBIT_TRY(context.budget().spend_text(text.size() * 16));
  ANYBIT_ASSIGN(const int64_t max_splits, arguments.integer_or(1, -1));
  if (arguments.value_or(0, Value::none()).is_none()) {
    return make_list(context, kFromEnd ? split_at_space_from_end(text, max_splits)
                                       : split_at_space(text, max_splits));
  }
  ANYBIT_ASSIGN(const std::string separator, arguments.required_string(0));
  if (separator.empty()) return template_error("{}: the separator is empty", arguments.function);
  return make_list(context, split_at(text, separator, max_splits, kFromEnd));
}

Result<Value> method_splitlines(Context& context, const Value& self,
                                const BoundArguments& arguments) {
  const std::string& text = self.as_string();
  ANYBIT_TRY(context.budget().spend_text(text.size() * 16));
  std::vector<std::string_view> lines = split_lines(text);
  if (arguments.truth_or(0, false)) {
    for (size_t i = 0; i < lines.size(); ++i) {
      const char* end = i + 1 < lines.size() ? lines[i + 1].data() : text.data() + text.size();
      lines[i] = {lines[i].data(), static_cast<size_t>(end - lines[i].data())};
    }
  }
  return make_list(context, lines);
}

template <bool kFromEnd>
Result<Value> method_partition(Context& context, const Value& self,
                               const BoundArguments& arguments) {
  ANYBIT_ASSIGN(const std::string separator, arguments.required_string(0));
  if (separator.empty()) return template_error("{}: the separator is empty", arguments.function);
  const std::string& text = self.as_string();
  ANYBIT_TRY(context.budget().spend_text(text.size()));
  const size_t found = kFromEnd ? text.rfind(separator) : text.find(separator);
  std::vector<Value> parts(3, Value::string(""));
  if (found == std::string::npos) {
    parts[kFromEnd ? 2 : 0] = self;
  } else {
    parts = {Value::string(text.substr(0, found)), Value::string(separator),
             Value::string(text.substr(found + separator.size()))};
  }
  return Value::sequence(SequenceKind::kTuple, std::move(parts));
}

Result<Value> method_replace(Context& context, const Value& self, const BoundArguments& arguments) {
  const std::string& text = self.as_string();
  ANYBIT_ASSIGN(const std::string from, arguments.required_string(0));
  ANYBIT_ASSIGN(const std::string to, arguments.required_string(1));
  ANYBIT_ASSIGN(const int64_t max_count, arguments.integer_or(2, -1));
  const int64_t growth = static_cast<int64_t>(to.size()) * count_occurrences(text, from);
  ANYBIT_TRY(context.budget().spend_text(text.size() + static_cast<size_t>(growth)));
  return Value::string(replace(text, from, to, max_count));
}

Result<Value> method_join(Context& context, const Value& self, const BoundArguments& arguments) {
  ANYBIT_ASSIGN(const Value items_value, arguments.required(0));
  ANYBIT_ASSIGN(const std::vector<Value> items, iterate(context.budget(), items_value));
  std::string out;
  for (size_t i = 0; i < items.size(); ++i) {
    if (!items[i].is_string()) {
      return template_error("join: expected strings, found a {}", items[i].type_name());
    }
    ANYBIT_TRY(context.budget().spend_text(items[i].as_string().size() + self.as_string().size()));
    if (i > 0) out += self.as_string();
    out += items[i].as_string();
  }
  return Value::string(std::move(out));
}

Result<Value> method_format(Context& context, const Value& self, const BoundArguments& arguments) {
  ANYBIT_ASSIGN(std::string text,
                format_braces(context.budget(), self.as_string(), arguments.rest));
  return Value::string(std::move(text));
}

enum class Side : uint8_t { kLeft, kRight, kBoth };

template <Side kSide>
Result<Value> method_justify(Context& context, const Value& self, const BoundArguments& arguments) {
  ANYBIT_ASSIGN(const int64_t width, arguments.required_integer(0));
  ANYBIT_ASSIGN(const std::string fill, arguments.string_or(1, " "));
  if (num_characters(fill) != 1) {
    return template_error("{}: expected one character to fill with", arguments.function);
  }
  const int64_t missing = width - num_characters(self.as_string());
  if (missing <= 0) return self;
  int64_t before = kSide == Side::kRight ? missing : 0;
  if (kSide == Side::kBoth) before = missing / 2 + (missing & width & 1);
  const auto size = checked_product(missing, static_cast<int64_t>(fill.size()));
  if (!size) return template_error("{}: a width of {}", arguments.function, width);
  ANYBIT_TRY(context.budget().spend_text(static_cast<size_t>(*size)));
  std::string text;
  for (int64_t i = 0; i < before; ++i) text += fill;
  text += self.as_string();
  for (int64_t i = before; i < missing; ++i) text += fill;
  return make_text(context, std::move(text));
}

Result<Value> method_zfill(Context& context, const Value& self, const BoundArguments& arguments) {
  ANYBIT_ASSIGN(const int64_t width, arguments.required_integer(0));
  std::string text = self.as_string();
  const int64_t missing = width - num_characters(text);
  if (missing <= 0) return self;
  ANYBIT_TRY(context.budget().spend_text(static_cast<size_t>(missing)));
  const bool has_sign = text.starts_with('-') || text.starts_with('+');
  text.insert(has_sign ? 1 : 0, static_cast<size_t>(missing), '0');
  return make_text(context, std::move(text));
}

template <bool kAtStart>
Result<Value> method_remove(Context& context, const Value& self, const BoundArguments& arguments) {
  ANYBIT_ASSIGN(const std::string affix, arguments.required_string(0));
  const std::string& text = self.as_string();
  if (kAtStart && text.starts_with(affix)) return make_text(context, text.substr(affix.size()));
  if (!kAtStart && text.ends_with(affix)) {
    return make_text(context, text.substr(0, text.size() - affix.size()));
  }
  return self;
}

constexpr Builtin kMethods[] = {
    {"capitalize", {}, map_text<capitalize>},
    {"casefold", {}, map_text<lower>},
    {"center", {"width", "fillchar"}, method_justify<Side::kBoth>},
    {"count", {"sub", "start", "end"}, method_count},
    {"endswith", {"suffix", "start", "end"}, method_affix<false>},
    {"find", {"sub", "start", "end"}, method_find<false, false>},
    {"format", {"*"}, method_format},
    {"index", {"sub", "start", "end"}, method_find<false, true>},
    {"isalnum", {}, check_text<is_alnum>},
    {"isalpha", {}, check_text<is_alpha>},
    {"isdigit", {}, check_text<is_digit>},
    {"islower", {}, check_text<is_lower>},
    {"isnumeric", {}, check_text<is_digit>},
    {"isspace", {}, check_text<is_space_only>},
    {"isupper", {}, check_text<is_upper>},
    {"join", {"iterable"}, method_join},
    {"ljust", {"width", "fillchar"}, method_justify<Side::kLeft>},
    {"lower", {}, map_text<lower>},
    {"lstrip", {"chars"}, method_strip<true, false>},
    {"partition", {"sep"}, method_partition<false>},
    {"removeprefix", {"prefix"}, method_remove<true>},
    {"removesuffix", {"suffix"}, method_remove<false>},
    {"replace", {"old", "new", "count"}, method_replace},
    {"rfind", {"sub", "start", "end"}, method_find<true, false>},
    {"rindex", {"sub", "start", "end"}, method_find<true, true>},
    {"rjust", {"width", "fillchar"}, method_justify<Side::kRight>},
    {"rpartition", {"sep"}, method_partition<true>},
    {"rsplit", {"sep", "maxsplit"}, method_split<true>},
    {"rstrip", {"chars"}, method_strip<false, true>},
    {"split", {"sep", "maxsplit"}, method_split<false>},
    {"splitlines", {"keepends"}, method_splitlines},
    {"startswith", {"prefix", "start", "end"}, method_affix<true>},
    {"strip", {"chars"}, method_strip<true, true>},
    {"swapcase", {}, map_text<swapcase>},
    {"title", {}, map_text<title>},
    {"upper", {}, map_text<upper>},
    {"zfill", {"width"}, method_zfill},
};

}  // namespace

std::span<const Builtin> string_methods() { return kMethods; }

}  // namespace anybit::model::jinja
