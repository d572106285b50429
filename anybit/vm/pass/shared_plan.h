// Where shared tiles lie: their strides and swizzle, chosen so that banks do not conflict, and
// their place in the CTA's shared memory, which tiles that do not live at the same time share.
#pragma once

#include <string>
#include <vector>

#include "anybit/base/result.h"
#include "anybit/layout/register_layout.h"
#include "anybit/layout/shared_layout.h"
#include "anybit/vm/ir/program.h"
#include "anybit/vm/ir/wgmma.h"
#include "anybit/vm/pass/scalar_analysis.h"

namespace anybit::vm {

/// How a shared tile or a part of one addresses its bytes: element x lies at the element index
/// swizzle(sum of offsets + sum of x_d * strides[d]) of an allocation.
struct SharedView {
  ValueId storage = kNoValue;  // The alloc_shared.
  int64_t byte_offset = 0;     // Of the allocation; a multiple of 128, or of a swizzle's atom.
  std::vector<int64_t> strides = {};
  std::vector<std::pair<Expr, int64_t>> offsets = {};  // Expression and its weight in elements.
  layout::Swizzle swizzle = {};
};

struct SharedPlan {
  std::vector<SharedView> views;  // By ValueId; empty for what is not shared.
  int64_t total_bytes = 0;

  const SharedView& view(ValueId id) const { return views[static_cast<size_t>(id)]; }
};

/// Operand a or b of a wgmma in shared memory. Errors: as wgmma_operand().
Result<WgmmaOperand> shared_wgmma_operand(const InstructionView& view, const WgmmaPlan& plan,
                                          size_t operand, const SharedView& shared);

/// A register tile that is read from or written to shared memory under these strides.
struct SharedTraffic {
  const layout::RegisterLayout* layout = nullptr;
  std::vector<int64_t> strides = {};
};

/// The swizzle under which all of `traffic` costs the fewest cycles; of equals the one with the
/// fewest bits. `bits` of an element, `num_elements` of the shared tile.
layout::Swizzle best_swizzle(const std::vector<SharedTraffic>& traffic, int bits,
                             int64_t num_elements);

/// Plans the shared memory of a program. Annotated layouts stay; others are row-major with the
/// swizzle that costs the fewest bank conflicts over all accesses of the tile (the first of equals:
/// none, then the fewest bits), but operands of wgmma with the one that tensor cores read.
/// Pre: verify(program, kWithLayouts) passes.
/// Errors: kUnsupported for operands of wgmma in other lines than wgmma_operand() takes, and for
/// layouts, reshapes and slices that strides cannot express.
Result<SharedPlan> plan_shared_memory(const Program& program);

}  // namespace anybit::vm
