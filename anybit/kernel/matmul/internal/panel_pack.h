// Makes panels of a canonical tensor.
#pragma once

#include <memory>
#include <string_view>

#include "anybit/base/parallel.h"
#include "anybit/base/result.h"
#include "anybit/kernel/matmul/internal/panel_matrix.h"
#include "anybit/kernel/matmul/internal/panel_ops.h"
#include "anybit/kernel/matmul/matmul.h"

namespace anybit::kernel::internal {

/// Whether panels of this arithmetic can hold the scheme: groups of a multiple of 16 columns, and
/// element values the arithmetic takes. pack_panels() may still refuse a tensor for its values.
bool may_pack_panels(const numeric::Scheme& scheme, int64_t cols, Arithmetic arithmetic,
                     const PanelOps& ops);

/// The panels of `weight`, a valid tensor.
/// Errors: as pack_panels().
Result<PanelParts> make_panels(const tensor::QuantizedTensor& weight, Threads threads,
                               Arithmetic arithmetic, const PanelOps& ops,
                               std::string_view kernel_name);

/// Packs `weight`, a valid tensor.
/// Errors: kUnsupported if a code stands for what the arithmetic cannot hold (NaN, infinity), or if
/// 16-bit fixed point would move a row by more than 2^-10 of its norm.
Result<std::unique_ptr<PackedMatrix>> pack_panels(const tensor::QuantizedTensor& weight,
                                                  Threads threads, Arithmetic arithmetic,
                                                  const PanelOps& ops,
                                                  std::string_view kernel_name);

}  // namespace anybit::kernel::internal
