// From a template's text to its tree.
#pragma once

#include <string_view>

#include "anybit/base/result.h"
#include "anybit/model/chat_template/internal/ast.h"

namespace anybit::model::jinja {

/// Parses a whole template.
/// Errors: kCorruptData with the line, what was expected and what was found; kUnsupported for a tag
/// of Jinja that needs other templates (include, import, extends, block).
Result<Body> parse_template(std::string_view source);

}  // namespace anybit::model::jinja
