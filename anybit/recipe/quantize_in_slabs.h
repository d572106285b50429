// One matrix under its planned scheme, a slab at a time: memory holds a few slabs, however many
// rows the matrix has (an embedding is larger than a layer).
#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "anybit/base/result.h"
#include "anybit/quant/metric/tensor_error.h"
#include "anybit/recipe/quantization_plan.h"
#include "anybit/recipe/quantize_model.h"
#include "anybit/tensor/quantized_tensor.h"

namespace anybit::recipe {

/// Takes the slabs of a matrix, first to last.
using SlabSink = std::function<Status(const tensor::QuantizedTensor& slab, bool is_first)>;

/// A slab has about as many elements (at least the rows of one tensor::slab_row_multiple()).
inline constexpr int64_t kSlabElements = int64_t{1} << 21;

/// Gives `sink` the matrix as planned: quantized, or slabs of `original` where the plan keeps it.
/// What `sink` gets is the same to the bit for any slab_elements. A scheme whose slabs cannot be
/// quantized one by one (Method::takes_slabs) makes one slab of the whole matrix.
/// Post: nothing for a matrix that was kept; else its error.
/// Effects: pages of a mapped `original` leave memory once they are read.
/// Errors: those of the method and of `sink`.
Result<std::optional<quant::TensorError>> quantize_in_slabs(const tensor::QuantizedTensor& original,
                                                            const PlannedTensor& planned,
                                                            const QuantizeOptions& options,
                                                            const SlabSink& sink,
                                                            int64_t slab_elements = kSlabElements);

}  // namespace anybit::recipe
