// The interface of weight quantizers: one matrix in, codes and scales out. A method knows nothing
// of models, files or devices; recipe/ feeds it tensor by tensor.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "anybit/base/parallel.h"
#include "anybit/base/result.h"
#include "anybit/numeric/rounding.h"
#include "anybit/numeric/scheme.h"
#include "anybit/tensor/quantized_tensor.h"

namespace anybit::quant {

struct TensorParameters;  // tensor_parameters.h

/// A weight to be quantized, or a slab of it: rows that begin at a multiple of
/// tensor::slab_row_multiple(), so that a matrix need not be in memory as a whole.
struct WeightMatrix {
  std::span<const float> values;  // [rows, cols], row-major; [out_features, in_features].
  int64_t rows = 0;
  int64_t cols = 0;
  std::string_view name;                     // For messages.
  std::span<const float> importance = {};    // [cols]: mean square of each input; empty: all equal.
  int64_t first_row = 0;                     // Of a slab, in its matrix.
  const TensorParameters* shared = nullptr;  // Of the matrix a slab is from; null: of these values.
};

struct MethodOptions {
  numeric::RoundingMode rounding = numeric::RoundingMode::kNearestEven;
  uint64_t seed = 0;  // Of stochastic rounding.
  Threads threads = {};
};

/// One row of the table of methods.
struct Method {
  std::string_view name;         // "rtn"
  std::string_view description;  // One line for help texts.
  /// Post: validate() of the result holds; its scheme, rows and cols are the arguments'. A slab
  ///   gives what row_slab() of the whole result would, if takes_slabs().
  /// Errors: kInvalidArgument if the scheme does not fit the shape, or a value is not finite.
  Result<tensor::QuantizedTensor> (*quantize)(const WeightMatrix& weight,
                                              const numeric::Scheme& scheme,
                                              const MethodOptions& options);
  /// Whether slabs can be quantized one by one: not where a scale of all values comes from more
  /// than their range.
  bool (*takes_slabs)(const numeric::Scheme& scheme);
};

/// Every method; the first is the default.
std::span<const Method> methods();

/// The method of that name. Errors: kNotFound listing the names.
Result<const Method*> find_method(std::string_view name);

}  // namespace anybit::quant
