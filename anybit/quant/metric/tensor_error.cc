#include "anybit/quant/metric/tensor_error.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <mutex>
#include <vector>

#include "anybit/base/check.h"
#include "anybit/base/integer.h"

namespace anybit::quant {
namespace {

struct Sums {
  double error_squares = 0, original_squares = 0, stored_squares = 0, products = 0;
  double max_absolute = 0;

  void add(double original, double stored) {
    const double error = stored - original;
    error_squares += error * error;
    original_squares += original * original;
    stored_squares += stored * stored;
    products += original * stored;
    max_absolute = std::max(max_absolute, std::abs(error));
  }

  void merge(const Sums& other) {
    error_squares += other.error_squares;
    original_squares += other.original_squares;
    stored_squares += other.stored_squares;
    products += other.products;
    max_absolute = std::max(max_absolute, other.max_absolute);
  }
};

// Sums of a fixed number of rows are added in row order, so the result does not depend on threads.
constexpr int64_t kRowsPerPart = 32;

}  // namespace

Result<TensorError> tensor_error(std::span<const float> original,
                                 const tensor::QuantizedTensor& stored, Threads threads) {
  ANYBIT_CHECK(std::ssize(original) == stored.rows * stored.cols);
  const int64_t num_parts = ceil_div(stored.rows, kRowsPerPart);
  std::vector<Sums> parts(static_cast<size_t>(num_parts));
  std::mutex failure_mutex;
  Status failure;
  parallel_for(threads, num_parts, 1, [&](int64_t begin, int64_t end) {
    std::vector<float> values;
    for (int64_t part = begin; part < end; ++part) {
      const int64_t first_row = part * kRowsPerPart;
      const int64_t num_rows = std::min(kRowsPerPart, stored.rows - first_row);
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
  if (!failure) return tl::make_unexpected(std::move(failure).error());
  Sums total;
  for (const Sums& part : parts) total.merge(part);
  TensorError error;
  if (total.error_squares > 0) {
    error.relative = std::sqrt(total.error_squares / total.original_squares);
  }
  error.sqnr_db = error.relative > 0 ? -20 * std::log10(error.relative)
                                     : std::numeric_limits<double>::infinity();
  error.max_absolute = total.max_absolute;
  const double norms = std::sqrt(total.original_squares * total.stored_squares);
  if (norms > 0) error.cosine = total.products / norms;
  return error;
}

}  // namespace anybit::quant
