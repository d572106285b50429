// The codes of a stored tensor as plain integers, whatever their packing, and what each code is
// worth: the common ground from which panels are made.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "anybit/base/result.h"
#include "anybit/numeric/ggml/affine_groups.h"
#include "anybit/tensor/quantized_tensor.h"

namespace anybit::kernel::internal {

/// Reads the codes of rows. complex2 reads as two ternary codes an element pair, since the units
/// +1, i, -1, -i are the pairs (1, 0), (0, 1), (-1, 0), (0, -1).
class CodeSource {
 public:
  /// Errors: kUnsupported for elements of more than 16 bits, and ggml types without a common form.
  static Result<CodeSource> of(const tensor::QuantizedTensor& tensor);

  int bits() const { return element_.bits; }
  /// The element format; of a ggml type, uint<code bits>.
  const numeric::ElementFormat& element() const { return element_; }
  /// The value of each code, NaN for those that no tensor may hold. Zero points not subtracted.
  const std::vector<double>& values() const { return values_; }
  /// Null unless the tensor holds ggml blocks.
  const numeric::GroupFormat* ggml() const { return ggml_; }
  const tensor::QuantizedTensor& tensor() const { return *tensor_; }

  /// Where rows of ggml blocks leave their scales; see numeric::GroupSpans.
  struct GgmlScales {
    std::vector<float> super_scales, super_mins;
    std::vector<int8_t> sub_scales;
    std::vector<uint8_t> sub_mins;
  };

  /// Codes of row `row`: out[cols]. `scales` receives those of ggml blocks.
  Status read_row(int64_t row, std::span<uint16_t> out, GgmlScales& scales) const;

 private:
  const tensor::QuantizedTensor* tensor_ = nullptr;
  numeric::ElementFormat element_;
  std::vector<double> values_;
  const numeric::GroupFormat* ggml_ = nullptr;
};

}  // namespace anybit::kernel::internal
