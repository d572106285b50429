// Random weights in any scheme, for tests and benchmarks.
#pragma once

#include <cstdint>

#include "anybit/base/result.h"
#include "anybit/tensor/quantized_tensor.h"

namespace anybit::kernel {

/// A [rows, cols] tensor whose codes are uniform over those that are finite numbers, with scales
/// that make values of order 1 and codebooks that ascend from -1 to 1 unevenly. Above a million
/// codes the pattern repeats. Formats without scales keep the values of their codes.
/// Errors: those of check_fits().
Result<tensor::QuantizedTensor> random_weight(const numeric::Scheme& scheme, int64_t rows,
                                              int64_t cols, uint64_t seed);

}  // namespace anybit::kernel
