// How far a stored tensor is from the original.
#pragma once

#include <span>

#include "anybit/base/parallel.h"
#include "anybit/base/result.h"
#include "anybit/tensor/quantized_tensor.h"

namespace anybit::quant {

struct TensorError {
  double relative = 0;  // ||stored - original|| / ||original||, Frobenius; 0 for 0 / 0.
  double sqnr_db = 0;   // -20 log10(relative); infinite if exact.
  double max_absolute = 0;
  double cosine = 1;  // Of the two as vectors; 1 if either is zero.
};

/// Sums up the error of a matrix from slabs of its rows.
class TensorErrorSum {
 public:
  /// Slabs that are multiples of this many rows give the same sums, to the bit, as the whole
  /// matrix.
  static constexpr int64_t kRowMultiple = 32;

  /// Adds the next rows. Pre: sizes agree. Errors: those of dequantize_rows().
  Status add(std::span<const float> original, const tensor::QuantizedTensor& stored,
             Threads threads);

  TensorError result() const;

 private:
  struct Sums {
    double error_squares = 0, original_squares = 0, stored_squares = 0, products = 0;
    double max_absolute = 0;

    void add(double original, double stored);
    void merge(const Sums& other);
  };

  Sums total_;
};

/// Compares `stored` with `original` [rows, cols], in double.
/// Pre: sizes agree. Errors: those of dequantize_rows().
Result<TensorError> tensor_error(std::span<const float> original,
                                 const tensor::QuantizedTensor& stored, Threads threads);

}  // namespace anybit::quant
