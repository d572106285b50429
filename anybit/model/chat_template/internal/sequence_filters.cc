// Filters that go through collections.
#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "anybit/model/chat_template/internal/builtin.h"
#include "anybit/model/chat_template/internal/operators.h"
#include "anybit/model/chat_template/internal/text.h"

namespace anybit::model::jinja {
namespace {

/// What sort, unique, min, max compare: the attribute if one is named, in lower case unless case
/// counts.
Result<Value> comparison_key(Context& context, const Value& item, const Value& attribute,
                             bool is_case_sensitive) {
  Value key = item;
  if (!attribute.is_none()) {
    ANYBIT_ASSIGN(key, get_path(context, item, attribute));
  }
  if (is_case_sensitive || !key.is_string()) return key;
  ANYBIT_TRY(context.budget().spend_text(key.as_string().size()));
  return Value::string(lower(key.as_string()));
}

/// Order of the items by their keys, stable. Errors: those of compare().
Result<std::vector<size_t>> sorted_order(Context& context, const std::vector<Value>& keys,
                                         bool is_descending) {
  std::vector<size_t> order(keys.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::optional<Error> error;
  const auto is_before = [&](size_t a, size_t b) {
    if (error) return false;
    const Result<Ordering> result = is_descending ? compare(context.budget(), keys[b], keys[a])
                                                  : compare(context.budget(), keys[a], keys[b]);
    if (!result) error = result.error();
    return result.has_value() && *result == Ordering::kLess;
  };
  std::stable_sort(order.begin(), order.end(), is_before);
  if (error) return tl::make_unexpected(*error);
  return order;
}

/// The key of sort: a list with one part for each attribute named ("a,b"), or the item alone.
Result<Value> sort_key(Context& context, const Value& item, const Value& attribute,
                       bool is_case_sensitive) {
  std::vector<Value> parts;
  if (!attribute.is_string()) {
    ANYBIT_ASSIGN(Value part, comparison_key(context, item, attribute, is_case_sensitive));
    parts.push_back(std::move(part));
    return Value::list(std::move(parts));
  }
  std::string_view rest = attribute.as_string();
  while (true) {
    const size_t comma = rest.find(',');
    const Value path = Value::string(std::string(rest.substr(0, comma)));
    ANYBIT_ASSIGN(Value part, comparison_key(context, item, path, is_case_sensitive));
    parts.push_back(std::move(part));
    if (comma == rest.npos) return Value::list(std::move(parts));
    rest.remove_prefix(comma + 1);
  }
}

Result<Value> filter_sort(Context& context, const Value& self, const BoundArguments& arguments) {
  ANYBIT_ASSIGN(const std::vector<Value> items, iterate(context.budget(), self));
  const Value attribute = arguments.value_or(2, Value::none());
  std::vector<Value> keys;
  for (const Value& item : items) {
    ANYBIT_ASSIGN(Value key, sort_key(context, item, attribute, arguments.truth_or(1, false)));
    keys.push_back(std::move(key));
  }
  ANYBIT_ASSIGN(const std::vector<size_t> order,
                sorted_order(context, keys, arguments.truth_or(0, false)));
  std::vector<Value> sorted;
  sorted.reserve(items.size());
  for (const size_t index : order) sorted.push_back(items[index]);
  return Value::list(std::move(sorted));
}

Result<Value> filter_dictsort(Context& context, const Value& self,
                              const BoundArguments& arguments) {
  if (!self.is_dict())
    return template_error("dictsort: expected a dict, found a {}", self.type_name());
  ANYBIT_ASSIGN(const std::string by, arguments.string_or(1, "key"));
  if (by != "key" && by != "value") {
    return template_error("dictsort: expected by 'key' or 'value', found '{}'", by);
  }
  std::vector<Value> keys, pairs;
  for (const auto& [key, member] : self.as_dict().entries()) {
    ANYBIT_ASSIGN(Value sort_key, comparison_key(context, by == "key" ? key : member, Value::none(),
                                                 arguments.truth_or(0, false)));
    keys.push_back(std::move(sort_key));
    pairs.push_back(Value::sequence(SequenceKind::kTuple, {key, member}));
  }
  ANYBIT_TRY(context.budget().spend_items(pairs.size()));
  ANYBIT_ASSIGN(const std::vector<size_t> order,
                sorted_order(context, keys, arguments.truth_or(2, false)));
  std::vector<Value> sorted;
  for (const size_t index : order) sorted.push_back(pairs[index]);
  return Value::list(std::move(sorted));
}

Result<Value> filter_items(Context& context, const Value& self, const BoundArguments&) {
  if (self.is_undefined()) return Value::sequence(SequenceKind::kIterator, {});
  if (!self.is_dict())
    return template_error("items: expected a dict, found a {}", self.type_name());
  std::vector<Value> pairs;
  ANYBIT_TRY(context.budget().spend_items(static_cast<size_t>(self.as_dict().size()) * 3));
  for (const auto& [key, member] : self.as_dict().entries()) {
    pairs.push_back(Value::sequence(SequenceKind::kTuple, {key, member}));
  }
  return Value::sequence(SequenceKind::kIterator, std::move(pairs));
}

Result<Value> filter_first(Context& context, const Value& self, const BoundArguments&) {
  ANYBIT_ASSIGN(const std::vector<Value> items, iterate(context.budget(), self));
  return items.empty() ? Value::undefined("the collection has no first item") : items.front();
}

Result<Value> filter_last(Context& context, const Value& self, const BoundArguments&) {
  if (self.is_sequence() && self.as_sequence().kind == SequenceKind::kIterator) {
    return template_error("last: expected a list, found a {}", self.type_name());
  }
  ANYBIT_ASSIGN(const std::vector<Value> items, iterate(context.budget(), self));
  return items.empty() ? Value::undefined("the collection has no last item") : items.back();
}

Result<Value> filter_reverse(Context& context, const Value& self, const BoundArguments&) {
  ANYBIT_ASSIGN(std::vector<Value> items, iterate(context.budget(), self));
  std::reverse(items.begin(), items.end());
  if (!self.is_string()) return Value::sequence(SequenceKind::kIterator, std::move(items));
  std::string text;
  for (const Value& item : items) text += item.as_string();
  ANYBIT_TRY(context.budget().spend_text(text.size()));
  return Value::string(std::move(text));
}

Result<Value> filter_unique(Context& context, const Value& self, const BoundArguments& arguments) {
  ANYBIT_ASSIGN(const std::vector<Value> items, iterate(context.budget(), self));
  std::unordered_set<std::string> seen;
  std::vector<Value> kept;
  for (const Value& item : items) {
    ANYBIT_ASSIGN(const Value key,
                  comparison_key(context, item, arguments.value_or(1, Value::none()),
                                 arguments.truth_or(0, false)));
    ANYBIT_ASSIGN(std::string hashed, hash_key(key));
    ANYBIT_TRY(context.budget().spend_text(hashed.size()));
    if (seen.insert(std::move(hashed)).second) kept.push_back(item);
  }
  return Value::sequence(SequenceKind::kIterator, std::move(kept));
}

Result<Value> extreme(Context& context, const Value& self, const BoundArguments& arguments,
                      Ordering wanted) {
  ANYBIT_ASSIGN(const std::vector<Value> items, iterate(context.budget(), self));
  if (items.empty()) return Value::undefined("the collection is empty");
  size_t best = 0;
  Value best_key;
  for (size_t i = 0; i < items.size(); ++i) {
    ANYBIT_ASSIGN(Value key, comparison_key(context, items[i], arguments.value_or(1, Value::none()),
                                            arguments.truth_or(0, false)));
    if (i > 0) {
      ANYBIT_ASSIGN(const Ordering order, compare(context.budget(), key, best_key));
      if (order != wanted) continue;
    }
    best = i;
    best_key = std::move(key);
  }
  return items[best];
}

Result<Value> filter_min(Context& context, const Value& self, const BoundArguments& arguments) {
  return extreme(context, self, arguments, Ordering::kLess);
}

Result<Value> filter_max(Context& context, const Value& self, const BoundArguments& arguments) {
  return extreme(context, self, arguments, Ordering::kGreater);
}

Result<Value> filter_sum(Context& context, const Value& self, const BoundArguments& arguments) {
  ANYBIT_ASSIGN(const std::vector<Value> items, iterate(context.budget(), self));
  const Value attribute = arguments.value_or(0, Value::none());
  Value total = arguments.value_or(1, Value::integer(0));
  if (total.is_string()) return template_error("sum: expected a number to start, found a str");
  for (Value item : items) {
    if (!attribute.is_none()) {
      ANYBIT_ASSIGN(item, get_path(context, item, attribute));
    }
    ANYBIT_ASSIGN(total, apply_binary(context.budget(), Operator::kAdd, total, item));
  }
  return total;
}

/// map and select take anything false for an empty collection.
Result<std::vector<Value>> iterate_if_true(Context& context, const Value& value) {
  if (!value.is_true()) return std::vector<Value>();
  return iterate(context.budget(), value);
}

/// map(attribute=..., default=...), or map(filter, its arguments...).
Result<Value> filter_map(Context& context, const Value& self, const BoundArguments& arguments) {
  ANYBIT_ASSIGN(std::vector<Value> items, iterate_if_true(context, self));
  CallArguments rest = arguments.rest;
  if (rest.positional.empty()) {
    std::optional<Value> attribute;
    Value fallback;
    for (const auto& [name, value] : rest.keyword) {
      if (name == "attribute") {
        attribute = value;
      } else if (name == "default") {
        fallback = value;
      } else {
        return template_error("map: unknown argument '{}'", name);
      }
    }
    if (!attribute) return template_error("map: expected a filter or an attribute");
    for (Value& item : items) {
      ANYBIT_ASSIGN(item, get_path(context, item, *attribute));
      if (item.is_undefined() && !fallback.is_undefined()) item = fallback;
    }
    return Value::sequence(SequenceKind::kIterator, std::move(items));
  }
  const Value name = rest.positional.front();
  rest.positional.erase(rest.positional.begin());
  const Builtin* filter = name.is_string() ? find_filter(name.as_string()) : nullptr;
  if (filter == nullptr) return template_error("map: there is no such filter");
  for (Value& item : items) {
    ANYBIT_TRY(context.budget().spend_steps(1));
    ANYBIT_ASSIGN(item, call_builtin(context, *filter, item, rest));
  }
  return Value::sequence(SequenceKind::kIterator, std::move(items));
}

/// select, reject (by_attribute false), selectattr and rejectattr: keeps the items that pass the
/// named test, or are true if none is named, or the others.
Result<Value> select_items(Context& context, const Value& self, const BoundArguments& arguments,
                           bool by_attribute, bool keeps) {
  ANYBIT_ASSIGN(const std::vector<Value> items, iterate_if_true(context, self));
  CallArguments rest = arguments.rest;
  Value attribute = Value::none();
  if (by_attribute) {
    if (rest.positional.empty()) {
      return template_error("{}: expected the name of an attribute", arguments.function);
    }
    attribute = rest.positional.front();
    rest.positional.erase(rest.positional.begin());
  }
  const Builtin* test = nullptr;
  if (!rest.positional.empty()) {
    const Value name = rest.positional.front();
    rest.positional.erase(rest.positional.begin());
    if (name.is_string()) test = find_test(name.as_string());
    if (test == nullptr) return template_error("{}: there is no such test", arguments.function);
  }
  std::vector<Value> kept;
  for (const Value& item : items) {
    ANYBIT_TRY(context.budget().spend_steps(1));
    Value subject = item;
    if (by_attribute) {
      ANYBIT_ASSIGN(subject, get_path(context, item, attribute));
    }
    if (test != nullptr) {
      ANYBIT_ASSIGN(subject, call_builtin(context, *test, subject, rest));
    }
    if (subject.is_true() == keeps) kept.push_back(item);
  }
  return Value::sequence(SequenceKind::kIterator, std::move(kept));
}

template <bool kByAttribute, bool kKeeps>
Result<Value> filter_select(Context& context, const Value& self, const BoundArguments& arguments) {
  return select_items(context, self, arguments, kByAttribute, kKeeps);
}

Result<Value> filter_batch(Context& context, const Value& self, const BoundArguments& arguments) {
  ANYBIT_ASSIGN(const std::vector<Value> items, iterate(context.budget(), self));
  ANYBIT_ASSIGN(const int64_t count, arguments.required_integer(0));
  if (count < 1) return template_error("batch: expected a positive size, found {}", count);
  const Value fill = arguments.value_or(1, Value::none());
  std::vector<Value> batches, batch;
  for (const Value& item : items) {
    batch.push_back(item);
    if (static_cast<int64_t>(batch.size()) == count) {
      batches.push_back(Value::list(std::exchange(batch, {})));
    }
  }
  if (!batch.empty()) {
    if (!fill.is_none()) {
      ANYBIT_TRY(context.budget().spend_items(static_cast<size_t>(count)));
      batch.resize(static_cast<size_t>(count), fill);
    }
    batches.push_back(Value::list(std::move(batch)));
  }
  return Value::sequence(SequenceKind::kIterator, std::move(batches));
}

Result<Value> filter_slice(Context& context, const Value& self, const BoundArguments& arguments) {
  ANYBIT_ASSIGN(const std::vector<Value> items, iterate(context.budget(), self));
  ANYBIT_ASSIGN(const int64_t count, arguments.required_integer(0));
  if (count < 1) return template_error("slice: expected a positive count, found {}", count);
  ANYBIT_TRY(context.budget().spend_items(static_cast<size_t>(count)));
  const auto total = static_cast<int64_t>(items.size());
  const Value fill = arguments.value_or(1, Value::none());
  std::vector<Value> slices;
  int64_t begin = 0;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t size = total / count + (i < total % count ? 1 : 0);
    std::vector<Value> part(items.begin() + begin, items.begin() + begin + size);
    if (!fill.is_none() && i >= total % count) part.push_back(fill);
    slices.push_back(Value::list(std::move(part)));
    begin += size;
  }
  return Value::sequence(SequenceKind::kIterator, std::move(slices));
}

Result<Value> filter_groupby(Context& context, const Value& self, const BoundArguments& arguments) {
  ANYBIT_ASSIGN(const std::vector<Value> items, iterate(context.budget(), self));
  ANYBIT_ASSIGN(const Value attribute, arguments.required(0));
  std::vector<Value> keys, names;
  for (const Value& item : items) {
    ANYBIT_ASSIGN(Value name, get_path(context, item, attribute));
    if (name.is_undefined()) name = arguments.value_or(1, name);
    ANYBIT_ASSIGN(Value key,
                  comparison_key(context, name, Value::none(), arguments.truth_or(2, false)));
    names.push_back(std::move(name));
    keys.push_back(std::move(key));
  }
  ANYBIT_ASSIGN(const std::vector<size_t> order, sorted_order(context, keys, false));
  std::vector<Value> groups, group;
  for (size_t i = 0; i < order.size(); ++i) {
    group.push_back(items[order[i]]);
    bool is_last = i + 1 == order.size();
    if (!is_last) {
      ANYBIT_ASSIGN(const bool same,
                    is_equal(context.budget(), keys[order[i]], keys[order[i + 1]]));
      is_last = !same;
    }
    if (!is_last) continue;
    const Value name = names[order[i + 1 - group.size()]];
    groups.push_back(
        Value::sequence(SequenceKind::kTuple, {name, Value::list(std::exchange(group, {}))}));
  }
  return Value::list(std::move(groups));
}

constexpr Builtin kFilters[] = {
    {"batch", {"linecount", "fill_with"}, filter_batch},
    {"dictsort", {"case_sensitive", "by", "reverse"}, filter_dictsort},
    {"first", {}, filter_first},
    {"groupby", {"attribute", "default", "case_sensitive"}, filter_groupby},
    {"items", {}, filter_items},
    {"last", {}, filter_last},
    {"map", {"*"}, filter_map},
    {"max", {"case_sensitive", "attribute"}, filter_max},
    {"min", {"case_sensitive", "attribute"}, filter_min},
    {"reject", {"*"}, filter_select<false, false>},
    {"rejectattr", {"*"}, filter_select<true, false>},
    {"reverse", {}, filter_reverse},
    {"select", {"*"}, filter_select<false, true>},
    {"selectattr", {"*"}, filter_select<true, true>},
    {"slice", {"slices", "fill_with"}, filter_slice},
    {"sort", {"reverse", "case_sensitive", "attribute"}, filter_sort},
    {"sum", {"attribute", "start"}, filter_sum},
    {"unique", {"case_sensitive", "attribute"}, filter_unique},
};

}  // namespace

std::span<const Builtin> sequence_filters() { return kFilters; }

}  // namespace anybit::model::jinja
