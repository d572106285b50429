// How register tiles meet memory: which of a thread's elements are neighbours there, how wide an
// access may be, and which bounds have to be tested. What the passes decide, backends carry out.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "anybit/layout/register_layout.h"
#include "anybit/vm/ir/tensor_type.h"
#include "anybit/vm/pass/scalar_analysis.h"
#include "anybit/vm/pass/shared_plan.h"

namespace anybit::vm {

/// Elements [r * count, (r + 1) * count) of every thread are a run: neighbours in memory.
struct AccessPlan {
  int64_t count = 1;       // Elements of a run; a power of two.
  int64_t unit_bytes = 1;  // Width of an access: 1, 2, 4, 8, 16; 0: less than a byte.
  int64_t units = 1;       // Accesses of a run.

  int64_t run_bytes() const { return units * unit_bytes; }
  friend bool operator==(const AccessPlan&, const AccessPlan&) = default;
};

/// An access of a global tensor.
struct GlobalAccessPlan {
  AccessPlan runs;
  std::vector<bool> is_tested;  // By dimension of the tensor: whether a run may lie outside.

  friend bool operator==(const GlobalAccessPlan&, const GlobalAccessPlan&) = default;
};

/// The widest runs of a tile with `layout` at `offset` of `global` that begin at whole bytes and
/// lie inside or outside as a whole; of at most `limit` elements.
GlobalAccessPlan plan_global_access(const TensorType& global, std::span<const Expr> offset,
                                    const layout::RegisterLayout& layout, bool in_bounds,
                                    const ScalarAnalysis& scalars, int64_t limit = 1 << 20);

/// The widest runs of a tile with `layout` and elements of `bits` in a shared tile; of at most
/// `limit` elements, and none that a swizzle cuts.
AccessPlan plan_shared_access(const SharedView& shared, int bits,
                              const layout::RegisterLayout& layout, const ScalarAnalysis& scalars,
                              int64_t limit = 1 << 20);

/// A copy from global to shared memory: each thread copies the runs of `layout`.
struct CopyPlan {
  layout::RegisterLayout layout;
  int64_t bytes = 0;  // Of a run: 16, 8, 4.
  GlobalAccessPlan source;
  AccessPlan target;

  friend bool operator==(const CopyPlan&, const CopyPlan&) = default;
};

/// The widest runs along the last dimension of a shared tile of `shape` that both memories allow;
/// nothing where not even 4 bytes are proved contiguous and aligned.
std::optional<CopyPlan> plan_copy_async(const TensorType& global, std::span<const Expr> offset,
                                        bool in_bounds, const SharedView& shared,
                                        const std::vector<int64_t>& shape, int64_t num_threads,
                                        const ScalarAnalysis& scalars);

}  // namespace anybit::vm
