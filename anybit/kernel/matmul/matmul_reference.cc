#include <vector>

#include "anybit/base/check.h"
#include "anybit/kernel/matmul/matmul.h"

namespace anybit::kernel {

void matmul_reference(const tensor::QuantizedTensor& weight, const float* a, int64_t m, float* c) {
  std::vector<float> row(static_cast<size_t>(weight.cols));
  for (int64_t n = 0; n < weight.rows; ++n) {
    ANYBIT_CHECK(tensor::dequantize_rows(weight, n, 1, row).has_value());
    for (int64_t i = 0; i < m; ++i) {
      double sum = 0;
      for (int64_t k = 0; k < weight.cols; ++k) {
        sum += static_cast<double>(a[i * weight.cols + k]) * static_cast<double>(row[k]);
      }
      c[i * weight.rows + n] = static_cast<float>(sum);
    }
  }
}

}  // namespace anybit::kernel
