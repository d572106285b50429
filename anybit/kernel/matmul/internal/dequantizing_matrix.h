// The kernel that takes every scheme on every processor: rows become floats as they are used.
#pragma once

#include <memory>

#include "anybit/base/parallel.h"
#include "anybit/base/result.h"
#include "anybit/kernel/matmul/matmul.h"

namespace anybit::kernel::internal {

/// Keeps the canonical tensor; a product decodes each row once and multiplies it with all of `a`.
/// Elements: f32 weights and activations, products and sums in double, rounded once.
/// Errors: those of tensor::validate().
Result<std::unique_ptr<PackedMatrix>> pack_dequantizing(const tensor::QuantizedTensor& weight,
                                                        Threads threads);

}  // namespace anybit::kernel::internal
