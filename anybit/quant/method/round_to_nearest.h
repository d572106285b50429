// Data-free quantization: each value to the nearest point of a grid. The baseline that every other
// method must beat.
#pragma once

#include "anybit/quant/method/method.h"

namespace anybit::quant {

/// The scale by the rule of the format:
///   integers, floats, lns, codebooks: amax / largest value (one point of the grid meets amax);
///   with an e8m0 scale: 2^(floor(log2 amax) - floor(log2 largest)), as OCP MX prescribes;
///   with a zero point: (max - min) / (2^bits - 1), the range made to include 0;
///   posits: root mean square, so that values meet the densest part of the format;
///   binary, complex2 and 1-bit integers: the mean magnitude; ternary: the mean magnitude of what
///   exceeds 0.7 of the mean magnitude.
/// A two-level scheme's tensor scale is amax / (largest element * largest scale).
/// A fitted codebook minimizes the squared error over the tensor (Lloyd's algorithm).
/// A group of zeros is stored as zeros wherever the format has a zero.
/// Post: without a zero point, |value - stored| <= half the distance of neighbouring grid points,
///   up to the rounding of the scale, for int, uint and float elements.
/// Source: Jacob et al. 2018, arXiv:1712.05877; OCP Microscaling Formats 1.0, section 6.3;
///   Li et al. 2016, Ternary Weight Networks, arXiv:1605.04711.
Result<tensor::QuantizedTensor> quantize_rtn(const WeightMatrix& weight,
                                             const numeric::Scheme& scheme,
                                             const MethodOptions& options);
bool rtn_takes_slabs(const numeric::Scheme& scheme);

/// As quantize_rtn(), but each scale is the best of a search: shrunk versions of the rule's scale,
/// its negative where that gives an asymmetric format its longer side, and one least-squares
/// refinement; the measure is the squared error weighted by importance.
/// Post: the squared error of each group is at most that of quantize_rtn() for the same tensor
///   scale and codebook.
Result<tensor::QuantizedTensor> quantize_mse(const WeightMatrix& weight,
                                             const numeric::Scheme& scheme,
                                             const MethodOptions& options);
bool mse_takes_slabs(const numeric::Scheme& scheme);

}  // namespace anybit::quant
