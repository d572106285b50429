// PanelMatrix: a weight as panels, and the driver of the product over them.
#pragma once

#include <memory>
#include <string_view>

#include "anybit/kernel/matmul/internal/activations.h"
#include "anybit/kernel/matmul/internal/panel_memory.h"
#include "anybit/kernel/matmul/internal/panel_ops.h"
#include "anybit/kernel/matmul/internal/panel_scales.h"
#include "anybit/kernel/matmul/matmul.h"

namespace anybit::kernel::internal {

/// What a PanelMatrix is made of.
struct PanelParts {
  PanelFormat format;
  PanelScales scales;
  PanelMemory codes;  // [panels][blocks] of format.block_bytes().
  float factor = 1;   // Of every product: tensor scale and the unit of integer weights.
  int64_t rows = 0;
  int64_t cols = 0;
};

class PanelMatrix : public PackedMatrix {
 public:
  /// Pre: `ops` has an unpack function for parts.format.
  PanelMatrix(PanelParts parts, const PanelOps& ops, std::string_view kernel_name);

  int64_t rows() const override { return parts_.rows; }
  int64_t cols() const override { return parts_.cols; }
  int64_t size_bytes() const override { return parts_.codes.size() + parts_.scales.size_bytes(); }
  std::string_view kernel_name() const override { return kernel_name_; }
  void matmul(const float* a, int64_t m, float* c, Threads threads) const override;

 private:
  struct Scratch;
  /// Panels of rows that a thread takes on before it asks for more.
  int64_t row_panels_at_a_time(int64_t m, Threads threads) const;
  /// Rows of c, `at_a_time` panels of activations at a time.
  void multiply_rows(const Activations& activations, int64_t m, int64_t first_panel,
                     int64_t last_panel, int64_t at_a_time, Scratch& scratch, float* c) const;
  /// Sums of all of `activations`' panels [first, last) with one panel of rows, into scratch.sums.
  void multiply_panel(const Activations& activations, int64_t row_panel, int64_t first,
                      int64_t last, Scratch& scratch) const;
  void add_mins(const Activations& activations, int64_t row_panel, int64_t first, int64_t last,
                int64_t first_block, int64_t num_blocks, Scratch& scratch) const;

  PanelParts parts_;
  const PanelOps& ops_;
  std::string_view kernel_name_;
  int64_t num_blocks_;
  UnpackFunction* unpack_;
  MultiplyFunction* multiply_[kMaxColumns];
  MultiplyFunction* multiply_codes_;  // Of one column; may be null.
};

}  // namespace anybit::kernel::internal
