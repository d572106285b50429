// The methods of Python's str.
#pragma once

#include <span>

#include "anybit/model/chat_template/internal/builtin.h"

namespace anybit::model::jinja {

/// Every row, sorted by name.
std::span<const Builtin> string_methods();

}  // namespace anybit::model::jinja
