// The choice of swizzles for shared tiles, so that banks do not conflict.
#pragma once

#include <cstdint>
#include <vector>

#include "anybit/base/result.h"
#include "anybit/layout/register_layout.h"
#include "anybit/layout/shared_layout.h"
#include "anybit/vm/ir/program.h"
#include "anybit/vm/pass/remark.h"

namespace anybit::vm {

/// A register tile that is read from or written to shared memory under these strides.
struct SharedTraffic {
  const layout::RegisterLayout* layout = nullptr;
  std::vector<int64_t> strides = {};
};

/// The swizzle under which all of `traffic` costs the fewest cycles; of equals the one with the
/// fewest bits. `bits` of an element, `num_elements` of the shared tile. `keeps_vectors`: 16 bytes
/// that are neighbours stay so, as asynchronous copies need.
layout::Swizzle best_swizzle(const std::vector<SharedTraffic>& traffic, int bits,
                             int64_t num_elements, bool keeps_vectors = false);

/// Annotates every alloc_shared that has no layout, and gains by a swizzle, with that layout: tiles
/// that bulk copies use are laid out as bulk_span_bytes says, operands of wgmma as wgmma_operand();
/// others as costs the fewest cycles over all reads and writes.
/// Pre: verify(program, kWithLayouts) passes. Errors: those of plan_shared_memory(), and
/// kUnsupported for operands of wgmma in other lines than wgmma_operand() takes.
Result<Program> choose_swizzles(Program program, std::vector<Remark>* remarks);

}  // namespace anybit::vm
