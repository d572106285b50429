// Searches for the scale (and min) of one group of values that make a weighted error small.
// Source: the k-quant encoders of ggml (make_qkx2_quants, make_qkx3_quants, make_qx_quants,
// make_qp_quants): the candidates tried and the errors compared are theirs. Codes
// are always rounded again with the scales as stored.
#pragma once

#include <cstdint>

namespace anybit::numeric::ggml {

/// The power of two that brings the largest of `values` to [1, 2): with values divided by it, no
/// sum of a search overflows, and results are otherwise unchanged.
float unit_of(const float* values, int64_t count);

/// value = scale * code + min with codes 0..max_code, min <= 0.
struct AffineFit {
  float scale = 0;
  float min = 0;
};

/// The candidates: the range spans max_code + first + step * i codes, i = 0 .. num_steps.
struct AffineSearch {
  float first;
  float step;
  int num_steps;
  bool absolute_error = false;  // Compare sums of w |error| instead of w error^2.
};

/// The best of the candidates, each refined by weighted least squares.
/// Pre: Count is 16 or 32; weights >= 0; |values| <= 2 (unit_of()).
template <int Count>
AffineFit search_affine(const float* values, const float* weights, int max_code,
                        const AffineSearch& search);

/// The best scale for value = scale * code, codes -num_negative .. num_negative - 1. The scale has
/// the sign that gives the largest value a negative code.
/// Pre: as above.
template <int Count>
float search_symmetric(const float* values, const float* weights, int num_negative);

/// The best scale for value = scale * code, codes 0..max_code, of non-negative values.
float search_positive(const float* values, const float* weights, int count, int max_code);

/// The code of each value: round((value - min) / scale), clamped to [low, high]; 0 where scale is
/// 0 (clamped too).
/// Pre: count is a multiple of 4.
void encode_codes(const float* values, int count, AffineFit fit, int low, int high, float* codes);

}  // namespace anybit::numeric::ggml
