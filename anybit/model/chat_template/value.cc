#include "anybit/model/chat_template/value.h"

#include <algorithm>
#include <cmath>
#include <unordered_map>

#include "anybit/base/json.h"
#include "anybit/model/chat_template/internal/object.h"

namespace anybit::model {

struct TemplateDict::Index {
  std::unordered_map<std::string, size_t> positions;
};

TemplateValue TemplateValue::undefined(std::string reason) {
  TemplateValue value;
  value.data_ = Undefined{std::make_shared<const std::string>(std::move(reason))};
  return value;
}

TemplateValue TemplateValue::none() {
  TemplateValue value;
  value.data_ = None{};
  return value;
}

TemplateValue TemplateValue::boolean(bool flag) {
  TemplateValue value;
  value.data_ = flag;
  return value;
}

TemplateValue TemplateValue::integer(int64_t number) {
  TemplateValue value;
  value.data_ = number;
  return value;
}

TemplateValue TemplateValue::number(double number) {
  TemplateValue value;
  value.data_ = number;
  return value;
}

TemplateValue TemplateValue::string(std::string text) {
  TemplateValue value;
  value.data_ = std::make_shared<const std::string>(std::move(text));
  return value;
}

TemplateValue TemplateValue::list(std::vector<TemplateValue> items) {
  return sequence(SequenceKind::kList, std::move(items));
}

TemplateValue TemplateValue::sequence(SequenceKind kind, std::vector<TemplateValue> items) {
  int depth = 0;
  for (const TemplateValue& item : items) depth = std::max(depth, item.depth());
  TemplateValue value;
  value.data_ =
      std::make_shared<const TemplateSequence>(TemplateSequence{kind, std::move(items), depth + 1});
  return value;
}

TemplateValue TemplateValue::dict(std::vector<std::pair<std::string, TemplateValue>> members) {
  auto entries = std::make_shared<TemplateDict>();
  for (auto& [key, member] : members) {
    const Status hashable = entries->set(string(std::move(key)), std::move(member));
    ANYBIT_CHECK(hashable.has_value());
  }
  return dict(std::move(entries));
}

TemplateValue TemplateValue::dict(std::shared_ptr<const TemplateDict> entries) {
  TemplateValue value;
  value.data_ = std::move(entries);
  return value;
}

TemplateValue TemplateValue::object(jinja::Object* object) {
  TemplateValue value;
  value.data_ = object;
  return value;
}

int64_t TemplateValue::as_integer() const {
  return is(Kind::kBool) ? static_cast<int64_t>(as_bool()) : std::get<int64_t>(data_);
}

double TemplateValue::as_double() const {
  return is(Kind::kFloat) ? std::get<double>(data_) : static_cast<double>(as_integer());
}

std::string_view TemplateValue::undefined_reason() const {
  const auto& reason = std::get<Undefined>(data_).reason;
  return reason == nullptr ? std::string_view() : std::string_view(*reason);
}

bool TemplateValue::is_true() const {
  switch (kind()) {
    case Kind::kUndefined:
    case Kind::kNone: return false;
    case Kind::kBool: return as_bool();
    case Kind::kInt: return as_integer() != 0;
    case Kind::kFloat: return as_double() != 0;
    case Kind::kString: return !as_string().empty();
    case Kind::kSequence:
      return as_sequence().kind == SequenceKind::kIterator || !as_sequence().items.empty();
    case Kind::kDict: return as_dict().size() != 0;
    case Kind::kObject: return as_object()->is_true();
  }
  return false;
}

int TemplateValue::depth() const {
  if (is_sequence()) return as_sequence().depth;
  if (is_dict()) return as_dict().depth();
  return 0;
}

std::string_view TemplateValue::type_name() const {
  switch (kind()) {
    case Kind::kUndefined: return "Undefined";
    case Kind::kNone: return "NoneType";
    case Kind::kBool: return "bool";
    case Kind::kInt: return "int";
    case Kind::kFloat: return "float";
    case Kind::kString: return "str";
    case Kind::kDict: return "dict";
    case Kind::kObject: return as_object()->type_name();
    case Kind::kSequence: break;
  }
  switch (as_sequence().kind) {
    case SequenceKind::kList: return "list";
    case SequenceKind::kTuple: return "tuple";
    case SequenceKind::kIterator: return "generator";
    case SequenceKind::kView: return "dict view";
  }
  return "";
}

TemplateDict::TemplateDict() : index_(std::make_unique<Index>()) {}
TemplateDict::~TemplateDict() = default;

Status TemplateDict::set(const TemplateValue& key, TemplateValue value) {
  ANYBIT_ASSIGN(std::string hashed, hash_key(key));
  depth_ = std::max({depth_, key.depth() + 1, value.depth() + 1});
  const auto [position, is_added] = index_->positions.emplace(std::move(hashed), entries_.size());
  if (is_added) {
    entries_.emplace_back(key, std::move(value));
  } else {
    entries_[position->second].second = std::move(value);
  }
  return {};
}

const TemplateValue* TemplateDict::find(const TemplateValue& key) const {
  const Result<std::string> hashed = hash_key(key);
  if (!hashed) return nullptr;
  const auto found = index_->positions.find(*hashed);
  return found == index_->positions.end() ? nullptr : &entries_[found->second].second;
}

const TemplateValue* TemplateDict::find(std::string_view key) const {
  const auto found = index_->positions.find("s" + std::string(key));
  return found == index_->positions.end() ? nullptr : &entries_[found->second].second;
}

Result<std::string> hash_key(const TemplateValue& value) {
  using Kind = TemplateValue::Kind;
  switch (value.kind()) {
    case Kind::kUndefined: return std::string("u");
    case Kind::kNone: return std::string("n");
    case Kind::kBool:
    case Kind::kInt: return fmt::format("i{}", value.as_integer());
    case Kind::kString: return "s" + value.as_string();
    case Kind::kObject: return fmt::format("o{}", static_cast<const void*>(value.as_object()));
    case Kind::kFloat: {
      const double number = value.as_double();
      const bool is_whole = std::floor(number) == number && std::fabs(number) < 0x1p62;
      return is_whole ? fmt::format("i{}", static_cast<int64_t>(number))
                      : fmt::format("f{}", number);
    }
    case Kind::kDict: break;
    case Kind::kSequence:
      if (value.as_sequence().kind != SequenceKind::kTuple) break;
      std::string text = "t";
      for (const TemplateValue& item : value.as_sequence().items) {
        ANYBIT_ASSIGN(const std::string part, hash_key(item));
        text += fmt::format("{}:{}", part.size(), part);
      }
      return text;
  }
  return fail(ErrorCode::kInvalidArgument, "expected a hashable value as a key, found a {}",
              value.type_name());
}

namespace {

constexpr int kMaxJsonDepth = 128;

TemplateValue from_json(const OrderedJson& json) {
  switch (json.type()) {
    case OrderedJson::value_t::boolean: return TemplateValue::boolean(json.get<bool>());
    case OrderedJson::value_t::number_integer: return TemplateValue::integer(json.get<int64_t>());
    case OrderedJson::value_t::number_unsigned: {
      const auto number = json.get<uint64_t>();
      return number <= INT64_MAX ? TemplateValue::integer(static_cast<int64_t>(number))
                                 : TemplateValue::number(static_cast<double>(number));
    }
    case OrderedJson::value_t::number_float: return TemplateValue::number(json.get<double>());
    case OrderedJson::value_t::string: return TemplateValue::string(json.get<std::string>());
    case OrderedJson::value_t::array: {
      std::vector<TemplateValue> items;
      items.reserve(json.size());
      for (const OrderedJson& item : json) items.push_back(from_json(item));
      return TemplateValue::list(std::move(items));
    }
    case OrderedJson::value_t::object: {
      std::vector<std::pair<std::string, TemplateValue>> members;
      members.reserve(json.size());
      for (const auto& [key, member] : json.items()) members.emplace_back(key, from_json(member));
      return TemplateValue::dict(std::move(members));
    }
    default: return TemplateValue::none();
  }
}

}  // namespace

Result<TemplateValue> parse_template_value(std::string_view json, std::string_view name) {
  bool is_too_deep = false;
  const OrderedJson::parser_callback_t limit_depth = [&](int depth, OrderedJson::parse_event_t,
                                                         OrderedJson&) {
    is_too_deep = is_too_deep || depth > kMaxJsonDepth;
    return !is_too_deep;
  };
  try {
    const OrderedJson value = OrderedJson::parse(json, limit_depth);
    if (is_too_deep) {
      return fail(ErrorCode::kCorruptData, "{}: nested deeper than {}", name, kMaxJsonDepth);
    }
    return from_json(value);
  } catch (const OrderedJson::exception& error) {
    return fail(ErrorCode::kCorruptData, "{}: not JSON: {}", name, error.what());
  }
}

}  // namespace anybit::model
