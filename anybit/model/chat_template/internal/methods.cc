// Methods of lists, dicts and loops, attribute access, and the global functions.
#include <algorithm>
#include <ctime>

#include "anybit/model/chat_template/internal/builtin.h"
#include "anybit/model/chat_template/internal/operators.h"
#include "anybit/model/chat_template/internal/printing.h"
#include "anybit/model/chat_template/internal/string_methods.h"

namespace anybit::model::jinja {
namespace {

Result<Value> refuse_change(Context&, const Value& self, const BoundArguments& arguments) {
  return template_error("{}: a template may not change a {}; build another, or use a namespace",
                        arguments.function, self.type_name());
}

Result<Value> method_copy(Context&, const Value& self, const BoundArguments&) { return self; }

Result<Value> list_count(Context& context, const Value& self, const BoundArguments& arguments) {
  ANYBIT_ASSIGN(const Value wanted, arguments.required(0));
  int64_t count = 0;
  for (const Value& item : self.as_sequence().items) {
    ANYBIT_ASSIGN(const bool same, is_equal(context.budget(), item, wanted));
    count += same ? 1 : 0;
  }
  return Value::integer(count);
}

Result<Value> list_index(Context& context, const Value& self, const BoundArguments& arguments) {
  ANYBIT_ASSIGN(const Value wanted, arguments.required(0));
  const std::vector<Value>& items = self.as_sequence().items;
  for (size_t i = 0; i < items.size(); ++i) {
    ANYBIT_ASSIGN(const bool same, is_equal(context.budget(), items[i], wanted));
    if (same) return Value::integer(static_cast<int64_t>(i));
  }
  return template_error("index: the list does not have the item");
}

Result<Value> dict_get(Context&, const Value& self, const BoundArguments& arguments) {
  ANYBIT_ASSIGN(const Value key, arguments.required(0));
  ANYBIT_TRY(hash_key(key));
  const Value* found = self.as_dict().find(key);
  return found != nullptr ? *found : arguments.value_or(1, Value::none());
}

enum class DictPart : uint8_t { kKeys, kValues, kItems };

template <DictPart kPart>
Result<Value> dict_view(Context& context, const Value& self, const BoundArguments&) {
  std::vector<Value> parts;
  ANYBIT_TRY(context.budget().spend_items(static_cast<size_t>(self.as_dict().size()) * 3));
  for (const auto& [key, member] : self.as_dict().entries()) {
    if (kPart == DictPart::kKeys) parts.push_back(key);
    if (kPart == DictPart::kValues) parts.push_back(member);
    if (kPart == DictPart::kItems) {
      parts.push_back(Value::sequence(SequenceKind::kTuple, {key, member}));
    }
  }
  return Value::sequence(SequenceKind::kView, std::move(parts));
}

Result<Value> loop_cycle(Context&, const Value& self, const BoundArguments& arguments) {
  const auto* loop = static_cast<const Loop*>(self.as_object());
  const std::vector<Value>& choices = arguments.rest.positional;
  if (choices.empty()) return template_error("cycle: expected at least one value");
  return choices[loop->index % choices.size()];
}

constexpr Builtin kListMethods[] = {
    {"append", {"*"}, refuse_change}, {"clear", {"*"}, refuse_change},
    {"copy", {}, method_copy},        {"count", {"value"}, list_count},
    {"extend", {"*"}, refuse_change}, {"index", {"value"}, list_index},
    {"insert", {"*"}, refuse_change}, {"pop", {"*"}, refuse_change},
    {"remove", {"*"}, refuse_change}, {"reverse", {"*"}, refuse_change},
    {"sort", {"*"}, refuse_change},
};

constexpr Builtin kTupleMethods[] = {
    {"count", {"value"}, list_count},
    {"index", {"value"}, list_index},
};

constexpr Builtin kDictMethods[] = {
    {"clear", {"*"}, refuse_change},          {"copy", {}, method_copy},
    {"get", {"key", "default"}, dict_get},    {"items", {}, dict_view<DictPart::kItems>},
    {"keys", {}, dict_view<DictPart::kKeys>}, {"pop", {"*"}, refuse_change},
    {"popitem", {"*"}, refuse_change},        {"setdefault", {"*"}, refuse_change},
    {"update", {"*"}, refuse_change},         {"values", {}, dict_view<DictPart::kValues>},
};

constexpr Builtin kLoopMethods[] = {
    {"cycle", {"*"}, loop_cycle},
};

Result<Value> raise_exception(Context& context, const Value&, const BoundArguments& arguments) {
  ANYBIT_ASSIGN(const Value message, arguments.required(0));
  ANYBIT_ASSIGN(const std::string text, to_text(context.budget(), message));
  return template_error("{}", text);
}

Result<Value> strftime_now(Context& context, const Value&, const BoundArguments& arguments) {
  ANYBIT_ASSIGN(const std::string format, arguments.required_string(0));
  constexpr size_t kMaxFormat = 1000;
  if (format.size() > kMaxFormat) {
    return template_error("strftime_now: expected a format of at most {} bytes", kMaxFormat);
  }
  if (format.empty()) return Value::string("");
  const auto seconds = static_cast<time_t>(context.unix_time());
  std::tm local{};
  localtime_r(&seconds, &local);
  std::string text(kMaxFormat * 16, '\0');
  text.resize(std::strftime(text.data(), text.size(), format.c_str(), &local));
  ANYBIT_TRY(context.budget().spend_text(text.size()));
  return Value::string(std::move(text));
}

Result<Value> make_range(Context& context, const Value&, const BoundArguments& arguments) {
  ANYBIT_ASSIGN(int64_t start, arguments.required_integer(0));
  int64_t stop = start;
  if (arguments.has(1)) {
    ANYBIT_ASSIGN(stop, arguments.required_integer(1));
  } else {
    start = 0;
  }
  ANYBIT_ASSIGN(const int64_t step, arguments.integer_or(2, 1));
  if (step == 0) return template_error("range: the step is zero");
  constexpr int64_t kMaxItems = 100000;  // As in Jinja's sandbox.
  constexpr int64_t kMaxBound = int64_t{1} << 60;
  if (std::max({std::abs(start), std::abs(stop), std::abs(step)}) > kMaxBound ||
      std::min({start, stop, step}) < -kMaxBound) {
    return template_error("range: a bound beyond 2^60");
  }
  const int64_t distance = step > 0 ? stop - start : start - stop;
  const int64_t count = distance <= 0 ? 0 : (distance - 1) / std::abs(step) + 1;
  if (count > kMaxItems) {
    return template_error("range: expected at most {} items, found {}", kMaxItems, count);
  }
  ANYBIT_TRY(context.budget().spend_items(static_cast<size_t>(count)));
  std::vector<Value> items;
  for (int64_t i = 0; i < count; ++i) items.push_back(Value::integer(start + i * step));
  return Value::list(std::move(items));
}

/// The entries of a dict, or of a list of pairs, then the keyword arguments.
Result<std::vector<Value::Entry>> collect_entries(Context& context,
                                                  const BoundArguments& arguments) {
  std::vector<Value::Entry> entries;
  const Value first = arguments.value_or(0, Value());
  if (first.is_dict()) {
    entries = first.as_dict().entries();
  } else if (!first.is_undefined()) {
    ANYBIT_ASSIGN(const std::vector<Value> pairs, iterate(context.budget(), first));
    for (const Value& pair : pairs) {
      ANYBIT_ASSIGN(const std::vector<Value> parts, iterate(context.budget(), pair));
      if (parts.size() != 2) {
        return template_error("{}: expected pairs, found {} items", arguments.function,
                              parts.size());
      }
      entries.emplace_back(parts[0], parts[1]);
    }
  }
  for (const auto& [name, value] : arguments.rest.keyword) {
    entries.emplace_back(Value::string(name), value);
  }
  ANYBIT_TRY(context.budget().spend_items(entries.size() * 2));
  return entries;
}

Result<Value> make_dict(Context& context, const Value&, const BoundArguments& arguments) {
  ANYBIT_ASSIGN(const std::vector<Value::Entry> entries, collect_entries(context, arguments));
  auto dict = std::make_shared<TemplateDict>();
  for (const auto& [key, value] : entries) ANYBIT_TRY(dict->set(key, value));
  return Value::dict(std::move(dict));
}

Result<Value> make_namespace(Context& context, const Value&, const BoundArguments& arguments) {
  ANYBIT_ASSIGN(const std::vector<Value::Entry> entries, collect_entries(context, arguments));
  auto made = std::make_unique<Namespace>();
  for (const auto& [key, value] : entries) {
    if (!key.is_string()) return template_error("namespace: expected names as keys");
    set_member(*made, key.as_string(), value);
  }
  return Value::object(context.keep(std::move(made)));
}

constexpr Builtin kGlobals[] = {
    {"dict", {"mapping", "*"}, make_dict},
    {"namespace", {"mapping", "*"}, make_namespace},
    {"raise_exception", {"message"}, raise_exception},
    {"range", {"start", "stop", "step"}, make_range},
    {"strftime_now", {"format"}, strftime_now},
};

const Builtin* find_row(std::span<const Builtin> table, std::string_view name) {
  const auto found = std::find_if(table.begin(), table.end(),
                                  [&](const Builtin& row) { return row.name == name; });
  return found == table.end() ? nullptr : &*found;
}

std::optional<Value> loop_attribute(const Loop& loop, std::string_view name) {
  const auto count = static_cast<int64_t>(loop.items.size());
  const auto index = static_cast<int64_t>(loop.index);
  if (name == "index") return Value::integer(index + 1);
  if (name == "index0") return Value::integer(index);
  if (name == "first") return Value::boolean(index == 0);
  if (name == "last") return Value::boolean(index + 1 == count);
  if (name == "length") return Value::integer(count);
  if (name == "revindex") return Value::integer(count - index);
  if (name == "revindex0") return Value::integer(count - index - 1);
  if (name == "depth") return Value::integer(loop.depth);
  if (name == "depth0") return Value::integer(loop.depth - 1);
  if (name == "previtem") {
    return index > 0 ? loop.items[loop.index - 1] : Value::undefined("there is no previous item");
  }
  if (name == "nextitem") {
    return index + 1 < count ? loop.items[loop.index + 1]
                             : Value::undefined("there is no next item");
  }
  return std::nullopt;
}

}  // namespace

void set_member(Namespace& object, std::string_view name, Value value) {
  for (auto& [key, member] : object.members) {
    if (key == name) {
      member = std::move(value);
      return;
    }
  }
  object.members.emplace_back(std::string(name), std::move(value));
}

const Builtin* find_global(std::string_view name) { return find_row(kGlobals, name); }

const Builtin* find_method(const Value& self, std::string_view name) {
  if (self.is_string()) return find_row(string_methods(), name);
  if (self.is_dict()) return find_row(kDictMethods, name);
  if (self.is_sequence() && self.as_sequence().kind == SequenceKind::kList) {
    return find_row(kListMethods, name);
  }
  if (self.is_sequence() && self.as_sequence().kind == SequenceKind::kTuple) {
    return find_row(kTupleMethods, name);
  }
  if (self.is(Kind::kObject) && self.as_object()->kind() == ObjectKind::kLoop) {
    return find_row(kLoopMethods, name);
  }
  return nullptr;
}

Result<Value> get_attribute(Context& context, const Value& value, std::string_view name) {
  ANYBIT_TRY(context.budget().spend_steps(1));
  if (value.is_undefined()) return undefined_error(value);
  if (const Builtin* method = find_method(value, name)) {
    return Value::object(
        context.keep(std::make_unique<Function>(ObjectKind::kMethod, method, value)));
  }
  if (value.is(Kind::kObject)) {
    const Object* object = value.as_object();
    if (object->kind() == ObjectKind::kNamespace) {
      for (const auto& [key, member] : static_cast<const Namespace*>(object)->members) {
        if (key == name) return member;
      }
    }
    if (object->kind() == ObjectKind::kLoop) {
      const auto found = loop_attribute(*static_cast<const Loop*>(object), name);
      if (found) return *found;
    }
  }
  if (value.is_dict()) {
    if (const Value* found = value.as_dict().find(name)) return *found;
  }
  return Value::undefined(
      fmt::format("a value of type {} has no attribute '{}'", value.type_name(), name));
}

Result<Value> get_path(Context& context, const Value& value, const Value& path) {
  if (path.is_integral()) return get_item(context.budget(), value, path);
  if (!path.is_string()) {
    return template_error("expected the name of an attribute, found a {}", path.type_name());
  }
  Value found = value;
  std::string_view rest = path.as_string();
  while (true) {
    const size_t dot = rest.find('.');
    const std::string_view part = rest.substr(0, dot);
    const bool is_index =
        !part.empty() && part.size() < 10 &&
        std::all_of(part.begin(), part.end(), [](char c) { return c >= '0' && c <= '9'; });
    if (is_index) {
      const Value index = Value::integer(std::stoll(std::string(part)));
      ANYBIT_ASSIGN(found, get_item(context.budget(), found, index));
    } else if (found.is_dict() && found.as_dict().find(part) != nullptr) {
      found = Value(*found.as_dict().find(part));
    } else {
      ANYBIT_ASSIGN(found, get_attribute(context, found, part));
    }
    if (dot == rest.npos) return found;
    rest.remove_prefix(dot + 1);
  }
}

}  // namespace anybit::model::jinja
