#include "anybit/vm/pass/access_plan.h"

#include <algorithm>
#include <functional>
#include <numeric>

#include "anybit/layout/register_layout_ops.h"

namespace anybit::vm {
namespace {

/// The power of two in n; a large one for 0.
int64_t power_of_two_in(int64_t n) { return n == 0 ? int64_t{1} << 40 : n & -n; }

/// gcd of what thread and local digits add to the linear index, runs of `count` locals left out.
int64_t digits_divisor(const layout::RegisterLayout& layout, int64_t count,
                       const std::function<int64_t(int dim)>& stride_divisor) {
  int64_t result = 0;
  for (const layout::Digit& digit : layout.thread_digits()) {
    if (!digit.is_replicated()) {
      result = std::gcd(result, digit.stride * stride_divisor(digit.dim));
    }
  }
  int64_t inner = 1;  // Local places of the digits after this one.
  const auto locals = layout.local_digits();
  for (size_t i = locals.size(); i-- > 0;) {
    const layout::Digit& digit = locals[i];
    // A digit inside the run only steps through it; one that the run splits steps by the run.
    const int64_t covered = std::clamp<int64_t>(count / inner, 1, digit.extent);
    if (covered < digit.extent) {
      result = std::gcd(result, covered * digit.stride * stride_divisor(digit.dim));
    }
    inner *= digit.extent;
  }
  return result;
}

/// Runs for elements of `bits` when element 0 of each run is at a multiple of `alignment` elements
/// and memory begins at a multiple of 16 bytes. `contiguous`: elements that follow each other in
/// the last dimension follow each other in memory. `limit`: at most so many elements a run.
AccessPlan plan_runs(const layout::RegisterLayout& layout, int bits, int64_t alignment,
                     bool contiguous, int64_t limit) {
  AccessPlan plan;
  plan.count = contiguous ? layout::contiguous_local_run(layout) : 1;
  while (plan.count > limit || (plan.count > 1 && plan.count * bits % 8 != 0)) plan.count /= 2;
  const int64_t run_bits = plan.count * bits;
  const int64_t aligned_bits = std::min<int64_t>(
      {power_of_two_in(run_bits), power_of_two_in(alignment * bits), int64_t{128}});
  plan.unit_bytes = aligned_bits / 8;
  plan.units = plan.unit_bytes == 0 ? 0 : run_bits / 8 / plan.unit_bytes;
  return plan;
}

/// Whether a tile of `tile_extent` at `offset` is proved to lie inside `extent`.
bool is_inside(const Expr& offset, int64_t tile_extent, const Expr& extent,
               const ScalarAnalysis& scalars) {
  const ScalarRange range = scalars.range(offset);
  return range.low >= 0 && range.high < INT64_MAX - tile_extent &&
         range.high + tile_extent <= scalars.range(extent).low;
}

}  // namespace

GlobalAccessPlan plan_global_access(const TensorType& global, std::span<const Expr> offset,
                                    const layout::RegisterLayout& layout, bool in_bounds,
                                    const ScalarAnalysis& scalars, int64_t limit) {
  GlobalAccessPlan plan;
  const int lead = static_cast<int>(global.extents.size()) - layout.rank();
  for (size_t d = 0; d < offset.size(); ++d) {
    const int tile_dim = static_cast<int>(d) - lead;
    const int64_t tile_extent = tile_dim < 0 ? 1 : layout.shape()[tile_dim];
    plan.is_tested.push_back(!in_bounds &&
                             !is_inside(offset[d], tile_extent, global.extents[d], scalars));
  }
  const size_t last = offset.size() - 1;
  const bool contiguous = global.strides[last].is_integer(1);
  // Alignment depends on the run's length, which bounds and alignment may shorten: the longest run
  // that begins at whole bytes and lies inside or outside as a whole.
  for (int64_t count = contiguous ? layout::contiguous_local_run(layout) : 1;; count /= 2) {
    int64_t alignment = digits_divisor(
        layout, count, [&](int dim) { return scalars.divisor(global.strides[dim + lead]); });
    for (size_t d = 0; d < offset.size(); ++d) {
      alignment =
          std::gcd(alignment, scalars.divisor(offset[d]) * scalars.divisor(global.strides[d]));
    }
    const int64_t last_divisor =
        std::gcd(digits_divisor(layout, count,
                                [&](int dim) { return dim + lead == static_cast<int>(last); }),
                 scalars.divisor(offset[last]));
    const bool whole = in_bounds || (scalars.divisor(global.extents[last]) % count == 0 &&
                                     last_divisor % count == 0);
    plan.runs =
        plan_runs(layout, global.element.bits, alignment, contiguous, std::min(limit, count));
    if (count == 1 || (whole && plan.runs.unit_bytes > 0)) return plan;
  }
}

AccessPlan plan_shared_access(const SharedView& shared, int bits,
                              const layout::RegisterLayout& layout, const ScalarAnalysis& scalars,
                              int64_t limit) {
  const bool contiguous = shared.strides.back() == 1;
  int64_t count = contiguous ? layout::contiguous_local_run(layout) : 1;
  count = std::min(count, limit);
  if (shared.swizzle.bits > 0) count = std::min(count, int64_t{1} << shared.swizzle.base);
  int64_t dynamic = 0;
  for (const auto& [expr, weight] : shared.offsets) {
    dynamic = std::gcd(dynamic, scalars.divisor(expr) * weight);
  }
  for (;; count /= 2) {
    const int64_t alignment = std::gcd(
        digits_divisor(layout, count, [&](int dim) { return shared.strides[dim]; }), dynamic);
    const AccessPlan plan = plan_runs(layout, bits, alignment, contiguous, count);
    // A run may not cross a swizzled piece: it begins at a multiple of its length.
    const bool whole = shared.swizzle.bits == 0 || power_of_two_in(alignment) % count == 0;
    if (count == 1 || (plan.unit_bytes > 0 && whole)) return plan;
  }
}

std::optional<CopyPlan> plan_copy_async(const TensorType& global, std::span<const Expr> offset,
                                        bool in_bounds, const SharedView& shared,
                                        const std::vector<int64_t>& shape, int64_t num_threads,
                                        const ScalarAnalysis& scalars) {
  const int bits = global.element.bits;
  for (int64_t bytes = 16; bytes >= 4; bytes /= 2) {
    if (bytes * 8 % bits != 0) continue;
    const int64_t run = bytes * 8 / bits;
    if (shape.back() % run != 0) continue;
    const auto layout = layout::coalesced(layout::Dims(shape), num_threads, run);
    if (!layout) continue;
    CopyPlan plan{*layout, bytes,
                  plan_global_access(global, offset, *layout, in_bounds, scalars, run),
                  plan_shared_access(shared, bits, *layout, scalars, run)};
    if (plan.source.runs.unit_bytes >= bytes && plan.target.unit_bytes >= bytes &&
        plan.source.runs.count == run && plan.target.count == run) {
      return plan;
    }
  }
  return std::nullopt;
}

}  // namespace anybit::vm
