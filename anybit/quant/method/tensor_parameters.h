// What all rows of a matrix share, gathered from its slabs before the first is quantized.
#pragma once

#include <cstdint>
#include <vector>

#include "anybit/numeric/scheme.h"
#include "anybit/quant/method/method.h"

namespace anybit::quant {

/// Made by TensorScan. Its members are what quantize_rtn() and quantize_mse() make of all values.
struct TensorParameters {
  float low = 0, high = 0;      // Least and greatest value.
  float tensor_scale = 1;       // The second-level scale; 1 without one.
  std::vector<float> codebook;  // As in QuantizedTensor.
};

/// Whether quantization under the scheme needs to have seen all values beforehand. If not,
/// TensorParameters{} will do.
bool needs_scan(const numeric::Scheme& scheme);

/// Sees the slabs of a [rows, cols] matrix, first to last.
class TensorScan {
 public:
  TensorScan(const numeric::Scheme& scheme, int64_t rows, int64_t cols);

  /// Pre: slab.first_row is the number of rows seen so far, and a multiple of
  /// tensor::slab_row_multiple().
  /// Errors: kInvalidArgument for a value that is not finite.
  Status add(const WeightMatrix& slab);

  /// Pre: all rows have been added.
  TensorParameters finish() const;

 private:
  void add_samples(const WeightMatrix& slab);

  const numeric::Scheme& scheme_;
  int64_t rows_, cols_;
  int64_t seen_rows_ = 0;
  float low_ = 0, high_ = 0;
  std::vector<float> samples_, sample_weights_;  // Of a fitted codebook.
};

}  // namespace anybit::quant
