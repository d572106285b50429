// Products of 16-bit activations with weights of 1 to 8 bits, as VM programs.
#pragma once

#include "anybit/kernel/matmul/weight_only_format.h"
#include "anybit/vm/ir/program.h"

namespace anybit::kernel {

/// How a CTA goes about it. A CTA owns warps_n * tile.rows rows of the weight and tile_m rows of
/// the activations; warps_k warps share the depth of each row and add their sums at the end.
struct WeightOnlySchedule {
  WeightTile tile;
  int64_t tile_m = 8;  // A multiple of 8.
  /// Rows of the activations that a CTA reads: tile_m, or 1, 2, 4 of a tile of 8, whose other rows
  /// are then copies of these and not stored.
  int64_t activation_rows = 8;
  int64_t warps_n = 1;
  int64_t warps_k = 8;
  int64_t tiles_per_stage = 1;  // Neighbours in k, under one scale.
  int64_t num_stages = 2;       // That each warp has under way; each in registers of its own.
  /// Promises that n is a multiple of rows_of_a_cta(), k a multiple of depth_of_a_step() and at
  /// least depth_of_a_round(), which spares the tests at the borders.
  bool is_whole = false;
  bool is_whole_m = false;    // Promises that m is a multiple of activation_rows.
  bool has_aligned_k = true;  // Promises that k is a multiple of 8.

  int64_t num_warps() const { return warps_n * warps_k; }
  int64_t rows_of_a_cta() const { return warps_n * tile.rows; }
  int64_t depth_of_a_stage() const { return tiles_per_stage * tile.depth; }
  int64_t depth_of_a_step() const { return warps_k * depth_of_a_stage(); }
  int64_t depth_of_a_round() const { return num_stages * depth_of_a_step(); }
};

/// c[m, n] = a[m, k] . dequantize(w)[n, k]^T + bias. Products are exact, sums f32: within a group
/// in the order of the tensor cores, then group by group (fma by the group's scale), then over the
/// warps of a CTA in their order. The result is rounded once. Bits do not depend on m within a
/// tile_m, nor on the run. Pre at launch: what the schedule promises; with several tiles a stage, k
/// is a multiple of depth_of_a_stage().
///
/// Parameters: a: ptr [m, k]; codes: ptr (weight_only_pack.h); scales: ptr (of groups in the packed
/// order, or of rows: f32 [n]); zero_points: ptr, if the format has them; codebook: ptr, if the
/// element is one: 2^bits values of the activation's format; bias: ptr f32 [n], if the format has
/// one; c: ptr [m, n]; m, n, k: i32; tensor_scale: f32.
/// Errors: kUnsupported as check_weight_only(); kInvalidArgument for schedules that do not fit.
Result<vm::Program> weight_only_program(const WeightOnlyFormat& format,
                                        const WeightOnlySchedule& schedule);

}  // namespace anybit::kernel
