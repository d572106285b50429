#include "anybit/kernel/matmul/internal/dequantizing_matrix.h"

#include <algorithm>
#include <span>
#include <vector>

#include "anybit/base/check.h"

namespace anybit::kernel::internal {
namespace {

class DequantizingMatrix : public PackedMatrix {
 public:
  explicit DequantizingMatrix(tensor::QuantizedTensor weight) : weight_(std::move(weight)) {}

  int64_t rows() const override { return weight_.rows; }
  int64_t cols() const override { return weight_.cols; }
  int64_t size_bytes() const override { return weight_.size_bytes(); }
  std::string_view kernel_name() const override { return "dequantize"; }

  void matmul(const float* a, int64_t m, float* c, Threads threads) const override {
    // Decoding builds tables first, so it pays to decode several rows a call.
    constexpr int64_t kRowsDecoded = 32;
    parallel_for(threads, rows(), 1, [&](int64_t begin, int64_t end) {
      std::vector<float> decoded(static_cast<size_t>(kRowsDecoded * cols()));
      for (int64_t first = begin; first < end; first += kRowsDecoded) {
        const int64_t count = std::min(kRowsDecoded, end - first);
        const std::span<float> used(decoded.data(), static_cast<size_t>(count * cols()));
        ANYBIT_CHECK(tensor::dequantize_rows(weight_, first, count, used).has_value());
        for (int64_t n = 0; n < count; ++n) {
          const std::span<const float> row =
              used.subspan(static_cast<size_t>(n * cols()), static_cast<size_t>(cols()));
          for (int64_t i = 0; i < m; ++i) c[i * rows() + first + n] = dot(a + i * cols(), row);
        }
      }
    });
  }

 private:
  /// Eight interleaved sums, so that the additions need not wait for each other.
  static float dot(const float* a, std::span<const float> row) {
    constexpr size_t kSums = 8;
    double sums[kSums] = {};
    size_t k = 0;
    for (; k + kSums <= row.size(); k += kSums) {
      for (size_t j = 0; j < kSums; ++j) {
        sums[j] += static_cast<double>(a[k + j]) * static_cast<double>(row[k + j]);
      }
    }
    for (; k < row.size(); ++k) sums[0] += static_cast<double>(a[k]) * static_cast<double>(row[k]);
    double total = 0;
    for (const double sum : sums) total += sum;
    return static_cast<float>(total);
  }

  tensor::QuantizedTensor weight_;
};

}  // namespace

Result<std::unique_ptr<PackedMatrix>> pack_dequantizing(const tensor::QuantizedTensor& weight,
                                                        Threads) {
  return std::make_unique<DequantizingMatrix>(weight);
}

}  // namespace anybit::kernel::internal
