// JSON values and a parser that reports instead of throwing. Include from .cc files only: the
// header behind it is large.
#pragma once

#include <nlohmann/json.hpp>
#include <string_view>

#include "anybit/base/result.h"

namespace anybit {

using Json = nlohmann::json;
using OrderedJson = nlohmann::ordered_json;

/// Parses `text`; `name` ("config.json") opens the error message.
/// Errors: kCorruptData with the position of the first mistake; nesting deeper than 128.
Result<Json> parse_json(std::string_view text, std::string_view name);

/// The member `key` of `object` as T.
/// Errors: kCorruptData naming `name`, the key, the expected type and what was found.
template <class T>
Result<T> json_member(const Json& object, std::string_view key, std::string_view name);

/// json_member(), or `fallback` where the key is absent or null.
template <class T>
Result<T> json_member_or(const Json& object, std::string_view key, T fallback,
                         std::string_view name) {
  const auto found = object.is_object() ? object.find(key) : object.end();
  if (!object.is_object() || found == object.end() || found->is_null()) return fallback;
  return json_member<T>(object, key, name);
}

template <>
Result<int64_t> json_member<int64_t>(const Json&, std::string_view, std::string_view);
template <>
Result<double> json_member<double>(const Json&, std::string_view, std::string_view);
template <>
Result<bool> json_member<bool>(const Json&, std::string_view, std::string_view);
template <>
Result<std::string> json_member<std::string>(const Json&, std::string_view, std::string_view);

}  // namespace anybit
