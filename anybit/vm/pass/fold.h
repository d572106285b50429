// Folding: lets that are literals or other scalars are replaced where they are used, expressions
// are simplified, and branches whose condition is known are resolved.
#pragma once

#include "anybit/base/result.h"
#include "anybit/vm/ir/program.h"

namespace anybit::vm {

/// Post: the same program; every kLet whose value was a literal or a scalar that never changes is
/// gone, and so is every `if` of a literal condition.
Result<Program> fold(Program program);

}  // namespace anybit::vm
