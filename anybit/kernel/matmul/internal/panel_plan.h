// Which panel format holds a tensor's codes: the choice of arithmetic's operands, made from the
// values that the codes stand for rather than from the names of formats.
#pragma once

#include <cstdint>
#include <vector>

#include "anybit/base/parallel.h"
#include "anybit/base/result.h"
#include "anybit/kernel/matmul/internal/code_source.h"
#include "anybit/kernel/matmul/internal/panel_format.h"
#include "anybit/kernel/matmul/internal/panel_ops.h"

namespace anybit::kernel::internal {

/// A format, and how codes become the codes stored in it.
struct PanelPlan {
  PanelFormat format;
  std::vector<uint16_t> stored_code;  // [2^bits], by the tensor's code.
  std::vector<uint8_t> is_valid;      // [2^bits]: whether the format can hold that code.
  /// value = unit * (what the stored code stands for in the tile, minus center for kInt8).
  double unit = 1;
  /// Squares of value and of the deviation from it by code; empty if the format is exact.
  std::vector<double> value_squares, error_squares;
};

/// Whether plan_panels() has an answer for the scheme, as far as the scheme alone tells.
bool may_plan(const numeric::Scheme& scheme, Arithmetic arithmetic, IsaTraits traits);

/// The plan for `source`'s tensor. `traits`: see PanelOps.
/// Errors: kUnsupported, saying why, if the arithmetic cannot hold these values.
Result<PanelPlan> plan_panels(const CodeSource& source, Arithmetic arithmetic, IsaTraits traits,
                              int subblock_cols, Threads threads);

}  // namespace anybit::kernel::internal
