// Where shared tiles lie: their strides and swizzle, chosen so that banks do not conflict, and
// their place in the CTA's shared memory, which tiles that do not live at the same time share.
#pragma once

#include <string>
#include <vector>

#include "anybit/base/result.h"
#include "anybit/layout/shared_layout.h"
#include "anybit/vm/ir/program.h"
#include "anybit/vm/pass/scalar_analysis.h"

namespace anybit::vm {

/// How a shared tile or a part of one addresses its bytes: element x lies at the element index
/// swizzle(sum of offsets + sum of x_d * strides[d]) of an allocation.
struct SharedView {
  ValueId storage = kNoValue;  // The alloc_shared.
  int64_t byte_offset = 0;     // Of the allocation; a multiple of 128.
  std::vector<int64_t> strides = {};
  std::vector<std::pair<Expr, int64_t>> offsets = {};  // Expression and its weight in elements.
  layout::Swizzle swizzle = {};
};

struct SharedPlan {
  std::vector<SharedView> views;  // By ValueId; empty for what is not shared.
  int64_t total_bytes = 0;

  const SharedView& view(ValueId id) const { return views[static_cast<size_t>(id)]; }
};

/// Plans the shared memory of a program. Annotated layouts stay; others are row-major with the
/// swizzle that costs the fewest bank conflicts over all accesses of the tile (the first of equals:
/// none, then the fewest bits).
/// Pre: verify(program, kWithLayouts) passes.
/// Errors: kUnsupported for layouts, reshapes and slices that strides cannot express.
Result<SharedPlan> plan_shared_memory(const Program& program);

}  // namespace anybit::vm
