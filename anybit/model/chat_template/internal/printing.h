// Values as text: Python's str(), repr() and json.dumps().
#pragma once

#include <optional>
#include <string>

#include "anybit/base/result.h"
#include "anybit/model/chat_template/internal/budget.h"
#include "anybit/model/chat_template/internal/object.h"

namespace anybit::model::jinja {

/// Python's repr(float): the shortest decimal that reads back, "1.0", "1e+16", "nan", "inf".
std::string float_repr(double value);

/// str(value): strings as they are, undefined as nothing, the rest as repr().
Result<std::string> to_text(Budget& budget, const Value& value);

/// repr(value). Errors: kInvalidArgument if the budget ends or objects nest too deep.
Result<std::string> to_repr(Budget& budget, const Value& value);

struct JsonStyle {
  std::optional<std::string> indent;  // One level; none: everything on one line.
  std::string item_separator = ", ";
  std::string key_separator = ": ";
  bool is_ascii_only = false;
  bool sorts_keys = false;
};

/// json.dumps(value) in the given style.
/// Errors: kInvalidArgument for values JSON has no form for (undefined, objects).
Result<std::string> to_json(Budget& budget, const Value& value, const JsonStyle& style);

}  // namespace anybit::model::jinja
