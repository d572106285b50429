// Dead code: what computes something that nobody reads is removed.
#pragma once

#include "anybit/base/result.h"
#include "anybit/vm/ir/program.h"

namespace anybit::vm {

/// Removes, until nothing changes: instructions without effects (reads of memory are none) whose
/// result is not used, results of atomics that are not used, lets that are not used, and loops,
/// branches and groups that are empty. Shared allocations that only free_shared names go with it.
Result<Program> remove_dead_code(Program program);

}  // namespace anybit::vm
