// Where shared tiles lie: their strides and swizzle, and their place in the CTA's shared memory,
// which tiles that do not live at the same time share.
#pragma once

#include <string>
#include <vector>

#include "anybit/base/result.h"
#include "anybit/layout/shared_layout.h"
#include "anybit/vm/ir/program.h"
#include "anybit/vm/ir/wgmma.h"
#include "anybit/vm/pass/scalar_analysis.h"

namespace anybit::vm {

/// How a shared tile or a part of one addresses its bytes: element x lies at the element index
/// swizzle(sum of offsets + sum of x_d * strides[d]) of an allocation.
struct SharedView {
  ValueId storage = kNoValue;  // The alloc_shared.
  int64_t byte_offset = 0;     // Of the allocation; a multiple of 128, or of its swizzle's period.
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

/// How a tile of `shape` lies in shared memory where bulk copies and wgmma use it: row-major, under
/// the swizzle of the tensor memory accelerator (TMA) that its rows fill, of 128, 64 or 32 bytes;
/// 0, none, for other rows. So a tile [rows, 64] of f16 is one panel of 128-byte rows; matrices
/// with wider rows are allocated as [panels, rows, 64] and copied panel by panel.
int bulk_span_bytes(const std::vector<int64_t>& shape, int bits);

/// That swizzle, of elements of `bits`: 16-byte chunk c of 128-byte line l lies at c ^ l mod
/// span / 16. Pre: span_bytes is 0, 32, 64 or 128; bits is 8, 16 or 32.
layout::Swizzle bulk_swizzle(int span_bytes, int bits);

/// The span under which `view` is one box of a bulk copy, `shape` its extents.
/// Errors: kUnsupported if it has gaps or another order than row-major, or another swizzle.
Result<int> bulk_box_span(const SharedView& view, const std::vector<int64_t>& shape, int bits);

/// Plans the shared memory of a program: tiles are row-major, or as they are annotated (by hand, or
/// by swizzle_choice.h).
/// Pre: verify(program, kWithLayouts) passes.
/// Errors: kUnsupported for layouts, reshapes and slices that strides cannot express.
Result<SharedPlan> plan_shared_memory(const Program& program);

}  // namespace anybit::vm
