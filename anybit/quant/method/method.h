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

/// A weight to be quantized.
struct WeightMatrix {
  std::span<const float> values;  // [rows, cols], row-major; [out_features, in_features].
  int64_t rows = 0;
  int64_t cols = 0;
  std::string_view name;                   // For messages.
  std::span<const float> importance = {};  // [cols]: mean square of each input; empty: all equal.
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
  /// Post: validate() of the result holds; its scheme, rows and cols are the arguments'.
  /// Errors: kInvalidArgument if the scheme does not fit the shape, or a value is not finite.
  Result<tensor::QuantizedTensor> (*quantize)(const WeightMatrix& weight,
                                              const numeric::Scheme& scheme,
                                              const MethodOptions& options);
};

/// Every method; the first is the default.
std::span<const Method> methods();

/// The method of that name. Errors: kNotFound listing the names.
Result<const Method*> find_method(std::string_view name);

}  // namespace anybit::quant
