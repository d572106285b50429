// Software pipelining of loops marked `pipeline(n)`: what an iteration reads from global memory is
// on its way while those before it are at work.
#pragma once

#include <vector>

#include "anybit/base/result.h"
#include "anybit/vm/ir/program.h"
#include "anybit/vm/pass/remark.h"

namespace anybit::vm {

/// Loads at the top level of a marked loop's body are moved n - 1 iterations ahead:
/// - a `copy_async` that is committed, waited for (`groups=0`) and followed by `sync` fills one of
///   n stages instead of its tile, and the loop waits only for the oldest;
/// - a `load_global` whose tile goes into a `dot` becomes such a copy and a `load_shared`, if it
///   can be copied in whole pieces and n stages fit into shared memory;
/// - any other `load_global` is kept in registers until its iteration, as many iterations ahead as
///   fit into 64 words of a thread.
/// A loop is left as it is, with a remark that says why, where this could change its meaning: it
/// writes global memory, which later loads may read; `break` leaves it with copies under way; an
/// address depends on what the loop computes; a staged tile is read before its copy, written only
/// in part, or used elsewhere.
/// Post: the same results for every trip count; no loop is marked; verify(program, kWithLayouts)
/// passes if it did.
Result<Program> pipeline_loops(Program program, std::vector<Remark>* remarks);

}  // namespace anybit::vm
