#include "anybit/model/chat_template/internal/builtin.h"

#include <algorithm>

namespace anybit::model::jinja {
namespace {

tl::unexpected<Error> wrong_argument(const BoundArguments& arguments, size_t index,
                                     std::string_view expected) {
  const std::optional<Value>& value = arguments.values[index];
  return template_error("{}: argument '{}': expected {}, found {}", arguments.function,
                        arguments.parameters[index], expected,
                        value ? value->type_name() : std::string_view("none given"));
}

}  // namespace

Result<Value> BoundArguments::required(size_t index) const {
  if (!values[index]) return wrong_argument(*this, index, "a value");
  return *values[index];
}

Result<std::string> BoundArguments::required_string(size_t index) const {
  if (!values[index] || !values[index]->is_string()) {
    return wrong_argument(*this, index, "a string");
  }
  return values[index]->as_string();
}

Result<int64_t> BoundArguments::required_integer(size_t index) const {
  if (!values[index] || !values[index]->is_integral()) {
    return wrong_argument(*this, index, "an integer");
  }
  return values[index]->as_integer();
}

Value BoundArguments::value_or(size_t index, Value fallback) const {
  return values[index] ? *values[index] : std::move(fallback);
}

bool BoundArguments::truth_or(size_t index, bool fallback) const {
  return values[index] ? values[index]->is_true() : fallback;
}

Result<std::string> BoundArguments::string_or(size_t index, std::string_view fallback) const {
  if (!values[index]) return std::string(fallback);
  return required_string(index);
}

Result<int64_t> BoundArguments::integer_or(size_t index, int64_t fallback) const {
  if (!values[index]) return fallback;
  return required_integer(index);
}

Result<Value> call_builtin(Context& context, const Builtin& builtin, const Value& self,
                           CallArguments arguments) {
  std::span<const std::string_view> parameters = builtin.parameters;
  parameters = parameters.first(static_cast<size_t>(
      std::find(parameters.begin(), parameters.end(), std::string_view()) - parameters.begin()));
  const bool takes_rest = !parameters.empty() && parameters.back() == "*";
  if (takes_rest) parameters = parameters.first(parameters.size() - 1);
  BoundArguments bound{builtin.name, parameters, {}, {}};
  bound.values.resize(parameters.size());
  for (size_t i = 0; i < arguments.positional.size(); ++i) {
    if (i < parameters.size()) {
      bound.values[i] = std::move(arguments.positional[i]);
    } else if (takes_rest) {
      bound.rest.positional.push_back(std::move(arguments.positional[i]));
    } else {
      return template_error("{}: expected at most {} arguments, found {}", builtin.name,
                            parameters.size(), arguments.positional.size());
    }
  }
  for (auto& [name, value] : arguments.keyword) {
    const auto found = std::find(parameters.begin(), parameters.end(), name);
    const auto index = static_cast<size_t>(found - parameters.begin());
    if (found != parameters.end() && !bound.values[index]) {
      bound.values[index] = std::move(value);
    } else if (takes_rest && found == parameters.end()) {
      bound.rest.keyword.emplace_back(name, std::move(value));
    } else {
      return template_error("{}: {} argument '{}'", builtin.name,
                            found == parameters.end() ? "unknown" : "repeated", name);
    }
  }
  return builtin.function(context, self, bound);
}

}  // namespace anybit::model::jinja
