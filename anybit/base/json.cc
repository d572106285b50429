#include "anybit/base/json.h"

namespace anybit {
namespace {

constexpr int kMaxDepth = 128;

Result<const Json*> find_member(const Json& object, std::string_view key, std::string_view name) {
  if (!object.is_object()) {
    return fail(ErrorCode::kCorruptData, "{}: expected an object holding \"{}\", found {}", name,
                key, object.type_name());
  }
  const auto found = object.find(key);
  if (found == object.end()) {
    return fail(ErrorCode::kCorruptData, "{}: expected the member \"{}\", found none", name, key);
  }
  return &*found;
}

tl::unexpected<Error> wrong_type(const Json& member, std::string_view key, std::string_view name,
                                 std::string_view expected) {
  return fail(ErrorCode::kCorruptData, "{}: \"{}\": expected {}, found {}", name, key, expected,
              member.type_name());
}

}  // namespace

Result<Json> parse_json(std::string_view text, std::string_view name) {
  bool too_deep = false;
  const Json::parser_callback_t limit_depth = [&](int depth, Json::parse_event_t, Json&) {
    too_deep = too_deep || depth > kMaxDepth;
    return !too_deep;
  };
  try {
    Json value = Json::parse(text, limit_depth);
    if (too_deep) {
      return fail(ErrorCode::kCorruptData, "{}: nested deeper than {}", name, kMaxDepth);
    }
    return value;
  } catch (const Json::exception& error) {
    return fail(ErrorCode::kCorruptData, "{}: not JSON: {}", name, error.what());
  }
}

template <>
Result<int64_t> json_member<int64_t>(const Json& object, std::string_view key,
                                     std::string_view name) {
  ANYBIT_ASSIGN(const Json* member, find_member(object, key, name));
  const bool fits = member->is_number_integer() &&
                    !(member->is_number_unsigned() && member->get<uint64_t>() > INT64_MAX);
  if (!fits) return wrong_type(*member, key, name, "a 64-bit integer");
  return member->get<int64_t>();
}

template <>
Result<double> json_member<double>(const Json& object, std::string_view key,
                                   std::string_view name) {
  ANYBIT_ASSIGN(const Json* member, find_member(object, key, name));
  if (!member->is_number()) return wrong_type(*member, key, name, "a number");
  return member->get<double>();
}

template <>
Result<bool> json_member<bool>(const Json& object, std::string_view key, std::string_view name) {
  ANYBIT_ASSIGN(const Json* member, find_member(object, key, name));
  if (!member->is_boolean()) return wrong_type(*member, key, name, "true or false");
  return member->get<bool>();
}

template <>
Result<std::string> json_member<std::string>(const Json& object, std::string_view key,
                                             std::string_view name) {
  ANYBIT_ASSIGN(const Json* member, find_member(object, key, name));
  if (!member->is_string()) return wrong_type(*member, key, name, "a string");
  return member->get<std::string>();
}

}  // namespace anybit
