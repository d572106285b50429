// Instruction selection: products marked `unit=wgmma` run on the tensor cores of warpgroups, from
// shared memory.
#pragma once

#include <vector>

#include "anybit/base/result.h"
#include "anybit/vm/ir/program.h"
#include "anybit/vm/pass/remark.h"

namespace anybit::vm {

/// A dot marked `unit=wgmma` whose result is assigned to its own accumulator at once, b (and a, if
/// it is loaded so) comes from a load_shared for it alone, and nothing writes shared memory
/// between, becomes wgmma, commit and a wait for it; a fence_async comes before every sync and
/// barrier_arrive of the program. Others lose the mark and get a remark that says why: also where
/// `architecture` is not 90, and where the shared tiles do not lie in lines that wgmma reads. Pre:
/// verify(program, kBeforeLayouts) passes. Post: it still does; no dot is marked.
Result<Program> select_wgmma(Program program, int architecture, std::vector<Remark>* remarks);

}  // namespace anybit::vm
