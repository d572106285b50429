// Python's two ways to put values into a text: "%s" % value and "{}".format(value).
#pragma once

#include <string>
#include <string_view>

#include "anybit/base/result.h"
#include "anybit/model/chat_template/internal/budget.h"
#include "anybit/model/chat_template/internal/builtin.h"

namespace anybit::model::jinja {

/// format % values: %s %r %d %i %x %o %f %e %g %c %% with flags, width and precision, and
/// %(name)s of a dict. `values` is a tuple, a dict, or one value.
/// Errors: kInvalidArgument for too few or too many values, a wrong type, or another conversion.
Result<std::string> format_printf(Budget& budget, std::string_view format, const Value& values);

/// str.format with fields {}, {0}, {name}; "{{" and "}}" stand for braces.
/// Errors: kInvalidArgument for a missing argument; kUnsupported for a format after ":".
Result<std::string> format_braces(Budget& budget, std::string_view format,
                                  const CallArguments& arguments);

}  // namespace anybit::model::jinja
