// Scales and mins of panels, kept as narrow in memory as they came and widened tile by tile.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "anybit/kernel/matmul/internal/panel_memory.h"
#include "anybit/kernel/matmul/internal/panel_ops.h"

namespace anybit::kernel::internal {

/// One number a row and group of columns, stored [panels][groups][16 rows].
struct ScaleLevel {
  ScaleStorage storage = ScaleStorage::kF32;
  int mantissa_shift = 0;  // kByteFloat; see ExpandScalesFunction.
  bool has_sign = false;
  float factor = 1;        // Of every number; kByteFloat: 2^(15 - bias) makes up for binary16.
  int64_t group_cols = 0;  // Columns that share a number.
  int64_t num_groups = 0;  // Of a row.
  PanelMemory codes;

  bool is_present() const { return num_groups > 0; }

  /// Stores `value` as number `index`. Pre: value / factor is exact in `storage`; kByteFloat:
  /// unsigned.
  void store(int64_t index, float value);

  /// Makes room for `num_panels` panels.
  void allocate(int64_t num_panels);

  /// The numbers of a panel's runs of `run_cols` columns, [first, first + count), times `sign`:
  /// out[count][16]. Pre: group_cols is a multiple of run_cols.
  void expand(const PanelOps& ops, int64_t panel, int64_t run_cols, int64_t first, int64_t count,
              float sign, float* out) const;
};

/// Scales and mins of a matrix: scale = outer (* inner), and
///   min = -(outer_min * inner_min)        for two-level types, or
///   min = -(scale * (zero_point - center)) where zero points are stored.
struct PanelScales {
  ScaleLevel outer, inner;
  ScaleLevel outer_min, inner_min;
  ScaleLevel zero_point;
  int center = 0;  // Already subtracted from the codes.

  bool has_mins() const { return inner_min.is_present() || zero_point.is_present(); }
  /// Columns that share a min; 0 without mins.
  int64_t min_group_cols() const;
  int64_t size_bytes() const;

  /// Scales of `count` subblocks from `first`: out[count][16]. 1 where there are none.
  void expand_scales(const PanelOps& ops, int64_t panel, int64_t subblock_cols, int64_t first,
                     int64_t count, float* scratch, float* out) const;
  /// Mins of groups [first, first + count): out[count][16]. scratch: [2 * count][16].
  void expand_mins(const PanelOps& ops, int64_t panel, int64_t first, int64_t count, float* scratch,
                   float* out) const;

 private:
  /// out = sign * upper * (lower - offset) for groups [first, first + count) of `lower`, whose
  /// codes are in `lower_codes`.
  void expand_products(const PanelOps& ops, const ScaleLevel& upper, const ScaleLevel& lower,
                       const PanelMemory& lower_codes, float offset, float sign, int64_t panel,
                       int64_t first, int64_t count, float* scratch, float* out) const;
};

/// Whether `storage`, one of kF32, kF16, kBF16 and kE8M0, holds `value` exactly.
bool is_exact(ScaleStorage storage, float value);

/// The narrowest storage that holds every one of `values` exactly: kE8M0 (powers of two), kF16,
/// kBF16 or kF32.
ScaleStorage narrowest_storage(std::span<const float> values);

/// The code of `value` in `storage`. Pre: it holds the value exactly.
void store_scale(ScaleStorage storage, float value, std::byte* out);

}  // namespace anybit::kernel::internal
