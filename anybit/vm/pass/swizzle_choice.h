// The choice of swizzles for shared tiles, so that banks do not conflict.
#pragma once

#include <vector>

#include "anybit/base/result.h"
#include "anybit/vm/ir/program.h"
#include "anybit/vm/pass/remark.h"

namespace anybit::vm {

/// Annotates every alloc_shared that has no layout, and gains by a swizzle, with that layout: tiles
/// that bulk copies use are laid out as bulk_span_bytes says, operands of wgmma as wgmma_operand();
/// others as costs the fewest cycles over all reads and writes.
/// Pre: verify(program, kWithLayouts) passes. Errors: those of plan_shared_memory(), and
/// kUnsupported for operands of wgmma in other lines than wgmma_operand() takes.
Result<Program> choose_swizzles(Program program, std::vector<Remark>* remarks);

}  // namespace anybit::vm
