// The table of values that minimizes a tensor's squared error: k-means in one dimension.
#pragma once

#include <span>
#include <vector>

namespace anybit::quant {

/// `size` ascending values that (locally) minimize the weighted squared distance of each sample to
/// its nearest value: Lloyd's algorithm from the samples' quantiles, until nothing moves or 100
/// rounds are done.
/// weights: one a sample, or empty (all 1). Pre: size >= 1; samples are finite and not empty.
/// Source: Lloyd 1982, "Least squares quantization in PCM".
std::vector<float> fit_codebook(std::span<const float> samples, std::span<const float> weights,
                                int size);

}  // namespace anybit::quant
