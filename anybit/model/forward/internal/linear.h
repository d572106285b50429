// Linear: matrices that multiply the same input, packed as one where their schemes agree.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "anybit/kernel/matmul/matmul.h"
#include "anybit/tensor/quantized_tensor.h"

namespace anybit::model::internal {

/// A matrix and what its output gets added.
struct LinearPart {
  const tensor::QuantizedTensor* weight;  // [out_features, in_features]
  const std::vector<float>* bias;         // [out_features], or empty; null: none.
  std::string name;                       // For messages.
};

/// Rows of a product as one part's output: [num_rows, its out_features].
struct StridedRows {
  float* values = nullptr;
  int64_t row_stride = 0;
};

/// Parts 0, 1, ... of one input. Fusing saves the input's quantization and a fork of the threads.
class Linear {
 public:
  Linear() = default;

  /// Pre: at least one part; all have the same in_features.
  /// Errors: those of kernel::pack(), naming the part.
  static Result<Linear> create(std::span<const LinearPart> parts,
                               const kernel::PackOptions& options);

  /// Output floats a row needs: the out_features of all parts.
  int64_t total_rows() const { return total_rows_; }

  /// Multiplies a[num_rows, in_features] into out[num_rows * total_rows()], biases added.
  void run(const float* a, int64_t num_rows, float* out, Threads threads) const;

  /// Where run() puts part `index`. All parts have one stride if their out_features are equal.
  StridedRows part(int64_t index, int64_t num_rows, float* out) const;

  int64_t size_bytes() const;
  /// Adds the kernels' names that `names` lacks.
  void collect_kernel_names(std::vector<std::string>& names) const;

 private:
  void add_biases(int64_t num_rows, float* out) const;

  std::vector<std::unique_ptr<kernel::PackedMatrix>> matrices_;  // One if fused, else one a part.
  std::vector<std::vector<float>> biases_;                       // One a part, may be empty.
  std::vector<int64_t> first_rows_;                              // Of each part.
  int64_t total_rows_ = 0;
};

/// The matrices one below the other, or nothing if they cannot share a scheme's parts: schemes,
/// codebooks or second-level scales differ, or a part does not end on a byte or a block.
std::optional<tensor::QuantizedTensor> concatenate_rows(
    std::span<const tensor::QuantizedTensor* const> matrices);

}  // namespace anybit::model::internal
