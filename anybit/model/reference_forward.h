// The definition of a model's output: every sum in double, no cache, no blocking, one matrix at a
// time. Slow; forward passes are tested against it.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "anybit/base/result.h"
#include "anybit/model/weights/weight_source.h"

namespace anybit::model {

/// The logits after each token of `tokens`, from an empty context. Activations are kept in double
/// and never rounded; weights are what dequantize_rows() gives.
/// Shapes: [num_tokens - first, vocab_size], of tokens [first, num_tokens).
/// Errors: kInvalidArgument for no tokens, `first` out of range, or an id outside the vocabulary;
/// the source's.
/// Source: Touvron et al. 2023 (Llama 2) and the papers named in architecture/.
Result<std::vector<double>> reference_forward(const WeightSource& source,
                                              std::span<const int32_t> tokens, int64_t first = 0);

}  // namespace anybit::model
