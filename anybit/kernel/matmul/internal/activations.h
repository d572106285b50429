// The left operand as the panel kernels read it: rows of `a` in panels of up to six, quantized by
// blocks of 32 columns or copied, interleaved by block.
#pragma once

#include <cstdint>
#include <vector>

#include "anybit/base/parallel.h"
#include "anybit/kernel/matmul/internal/panel_format.h"
#include "anybit/kernel/matmul/internal/panel_memory.h"
#include "anybit/kernel/matmul/internal/panel_ops.h"

namespace anybit::kernel::internal {

/// Rows of `a` (columns of a panel) and where their parts are.
class Activations {
 public:
  /// Quantizes a[m, cols] (kFloat: copies). `min_group_cols`: columns that share a min of the
  /// weight, 0 if it has none.
  Activations(const PanelFormat& format, const PanelOps& ops, const float* a, int64_t m,
              int64_t cols, int64_t min_group_cols, Threads threads);

  int64_t num_panels() const { return (m_ + kMaxColumns - 1) / kMaxColumns; }
  int64_t first_column(int64_t panel) const { return panel * kMaxColumns; }
  int columns(int64_t panel) const;

  /// [blocks from `block`][columns][32]
  const std::byte* codes(int64_t panel, int64_t block) const;
  /// [blocks][columns]
  const float* scales(int64_t panel, int64_t block) const;
  /// kInt8: [subblocks][columns]: what the sums of a subblock start from, to subtract the center.
  /// Widening kSubblock: two int16, the shares of columns k % 4 < 2 and of the others; else int32.
  const int32_t* biases(int64_t panel, int64_t block) const;
  /// [min groups][columns]: sums of the (quantized) activations of a group.
  const float* group_sums(int64_t panel, int64_t group) const;

 private:
  void fill_panel(const float* a, int64_t panel);
  void fill_integers(const float* a, int64_t panel);
  void fill_floats(const float* a, int64_t panel);
  /// What an int8 or int16 block contributes to its min group, and to the biases.
  void fill_sums(int64_t panel, int column, const std::vector<int32_t>& partial_sums);
  void add_to_group(int64_t panel, int column, int64_t col, float sum);

  const PanelFormat& format_;
  const PanelOps& ops_;
  int64_t m_, cols_, num_blocks_, min_group_cols_, num_groups_;
  PanelMemory codes_;
  std::vector<float> scales_;
  std::vector<int32_t> biases_;
  std::vector<float> group_sums_;
};

}  // namespace anybit::kernel::internal
