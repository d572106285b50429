#include "anybit/quant/metric/tensor_error.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <mutex>
#include <vector>

#include "anybit/base/check.h"
#include "anybit/base/integer.h"

namespace anybit::quant {

void TensorErrorSum::Sums::add(double original, double stored) {
  const double error = stored - original;
  error_squares += error * error;
  original_squares += original * original;
  stored_squares += stored * stored;
  products += original * stored;
  max_absolute = std::max(max_absolute, std::abs(error));
}

void TensorErrorSum::Sums::merge(const Sums& other) {
  error_squares += other.error_squares;
  original_squares += other.original_squares;
  stored_squares += other.stored_squares;
  products += other.products;
  max_absolute = std::max(max_absolute, other.max_absolute);
}

Status TensorErrorSum::add(std::span<const float> original, const tensor::QuantizedTensor& stored,
                           Threads threads) {
  ANYBIT_CHECK(std::ssize(original) == stored.rows * stored.cols);
  // Sums of a fixed number of rows are added in row order, so the result does not depend on
  // threads.
  const int64_t num_parts = ceil_div(stored.rows, kRowMultiple);
  std::vector<Sums> parts(static_cast<size_t>(num_parts));
  std::mutex failure_mutex;
  Status failure;
  parallel_for(threads, num_parts, 1, [&](int64_t begin, int64_t end) {
    std::vector<float> values;
    for (int64_t part = begin; part < end; ++part) {
      const int64_t first_row = part * kRowMultiple;
      const int64_t num_rows = std::min(kRowMultiple, stored.rows - first_row);
      values.resize(static_cast<size_t>(num_rows * stored.cols));
      if (auto status = tensor::dequantize_rows(stored, first_row, num_rows, values); !status) {
        const std::lock_guard lock(failure_mutex);
        failure = std::move(status);
        return;
      }
      const float* source = original.data() + first_row * stored.cols;
      for (size_t i = 0; i < values.size(); ++i) {
        parts[static_cast<size_t>(part)].add(source[i], values[i]);
      }
    }
  });
  ANYBIT_TRY(failure);
  for (const Sums& part : parts) total_.merge(part);
  return {};
}

TensorError TensorErrorSum::result() const {
  TensorError error;
  if (total_.error_squares > 0) {
    error.relative = std::sqrt(total_.error_squares / total_.original_squares);
  }
  error.sqnr_db = error.relative > 0 ? -20 * std::log10(error.relative)
                                     : std::numeric_limits<double>::infinity();
  error.max_absolute = total_.max_absolute;
  const double norms = std::sqrt(total_.original_squares * total_.stored_squares);
  if (norms > 0) error.cosine = total_.products / norms;
  return error;
}

Result<TensorError> tensor_error(std::span<const float> original,
                                 const tensor::QuantizedTensor& stored, Threads threads) {
  TensorErrorSum sum;
  ANYBIT_TRY(sum.add(original, stored, threads));
  return sum.result();
}

}  // namespace anybit::quant
