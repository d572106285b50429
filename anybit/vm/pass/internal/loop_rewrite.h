// Carries out what loop_plan.h found.
#pragma once

#include "anybit/vm/ir/program.h"
#include "anybit/vm/pass/internal/loop_plan.h"

namespace anybit::vm::pipelining {

/// Turns every load_global at the top level of the loop's body whose one use is a store_shared
/// there into a copy_async, committed and waited for before the next sync, where it can be copied
/// in whole pieces. False: there is none, and the loop is as it was.
bool make_copies(const Program& program, Statement& loop, int64_t num_threads);

/// The statements that replace `loop`, pipelined as `plan` says.
Block rewrite_loop(Program& program, const Statement& loop, const LoopPlan& plan);

}  // namespace anybit::vm::pipelining
