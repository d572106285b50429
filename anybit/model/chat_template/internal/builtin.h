// Filters, tests, methods and global functions: one row each, one way to hand over arguments.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "anybit/base/result.h"
#include "anybit/model/chat_template/internal/budget.h"
#include "anybit/model/chat_template/internal/object.h"
#include "anybit/model/chat_template/value.h"

namespace anybit::model::jinja {

/// What built-in functions may use besides their arguments.
class Context {
 public:
  virtual ~Context() = default;
  virtual Budget& budget() = 0;
  /// Seconds since 1970, for strftime_now.
  virtual int64_t unix_time() const = 0;
  /// Takes ownership until rendering ends.
  virtual Object* keep(std::unique_ptr<Object> object) = 0;
};

/// Arguments as the call wrote them.
struct CallArguments {
  std::vector<Value> positional;
  std::vector<std::pair<std::string, Value>> keyword;
};

/// Arguments matched with the parameters of a Builtin.
struct BoundArguments {
  std::string_view function;  // Whose, for messages.
  std::span<const std::string_view> parameters;
  std::vector<std::optional<Value>> values;  // One a parameter.
  CallArguments rest;                        // Not matched; only with takes_rest.

  bool has(size_t index) const { return values[index].has_value(); }
  /// Errors of all: kInvalidArgument naming function and parameter if the argument is missing or
  /// not of the type.
  Result<Value> required(size_t index) const;
  Result<std::string> required_string(size_t index) const;
  Result<int64_t> required_integer(size_t index) const;
  Value value_or(size_t index, Value fallback) const;
  bool truth_or(size_t index, bool fallback) const;
  Result<std::string> string_or(size_t index, std::string_view fallback) const;
  Result<int64_t> integer_or(size_t index, int64_t fallback) const;
};

using BuiltinFunction = Result<Value> (*)(Context& context, const Value& self,
                                          const BoundArguments& arguments);

inline constexpr size_t kMaxParameters = 5;

struct Builtin {
  std::string_view name;
  std::string_view parameters[kMaxParameters];  // In order; "*" last: takes any more.
  BuiltinFunction function;
};

/// Rows by name, or null.
const Builtin* find_filter(std::string_view name);
const Builtin* find_test(std::string_view name);
const Builtin* find_global(std::string_view name);
/// The method of the type of `self`, or null.
const Builtin* find_method(const Value& self, std::string_view name);

/// Matches arguments with parameters and calls.
/// Errors: kInvalidArgument for too many or unknown arguments; those of the function.
Result<Value> call_builtin(Context& context, const Builtin& builtin, const Value& self,
                           CallArguments arguments);

/// A failure of a template's own making.
template <class... Args>
[[nodiscard]] tl::unexpected<Error> template_error(fmt::format_string<Args...> format,
                                                   Args&&... args) {
  return fail(ErrorCode::kInvalidArgument, format, std::forward<Args>(args)...);
}

/// value.name as a template writes it: a method, an attribute of an object, or a dict's member;
/// undefined if there is none. Errors: kInvalidArgument if `value` is undefined.
Result<Value> get_attribute(Context& context, const Value& value, std::string_view name);

/// The item that the argument `attribute` of map, sort, join, ... names: "a.b.0" or an index.
Result<Value> get_path(Context& context, const Value& value, const Value& path);

/// Adds or replaces a member.
void set_member(Namespace& object, std::string_view name, Value value);

/// The tables, each in its own file.
std::span<const Builtin> text_filters();
std::span<const Builtin> sequence_filters();
std::span<const Builtin> value_filters();

}  // namespace anybit::model::jinja
