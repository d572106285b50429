#include "anybit/model/forward/internal/linear.h"

#include <algorithm>
#include <cstring>

#include "anybit/base/check.h"

namespace anybit::model::internal {
namespace {

using tensor::QuantizedTensor;

Buffer joined(std::span<const QuantizedTensor* const> matrices, Buffer QuantizedTensor::*part) {
  int64_t size_bytes = 0;
  for (const QuantizedTensor* matrix : matrices) size_bytes += (matrix->*part).size();
  Buffer whole = Buffer::allocate(size_bytes);
  std::byte* out = whole.writable().data();
  for (const QuantizedTensor* matrix : matrices) {
    const Buffer& bytes = matrix->*part;
    if (bytes.empty()) continue;
    std::memcpy(out, bytes.data(), static_cast<size_t>(bytes.size()));
    out += bytes.size();
  }
  return whole;
}

/// Whether the bit streams of `matrix` end on a byte, and its rows on a block of scales.
bool ends_evenly(const QuantizedTensor& matrix) {
  const numeric::Scheme& scheme = matrix.scheme;
  if (scheme.ggml != numeric::GgmlType::kNone) return true;
  if (scheme.granularity == numeric::Granularity::kBlock2d &&
      matrix.rows % scheme.block_rows != 0) {
    return false;
  }
  const int64_t codes = numeric::num_codes(scheme, matrix.rows, matrix.cols);
  const int64_t scales = numeric::scale_shape(scheme, matrix.rows, matrix.cols).count();
  return codes * scheme.element.bits % 8 == 0 && scales * scheme.scale.bits % 8 == 0 &&
         (!scheme.has_zero_point || scales * scheme.element.bits % 8 == 0);
}

}  // namespace

std::optional<QuantizedTensor> concatenate_rows(std::span<const QuantizedTensor* const> matrices) {
  const QuantizedTensor& first = *matrices.front();
  if (first.scheme.granularity == numeric::Granularity::kTensor) return std::nullopt;
  QuantizedTensor whole = first;
  whole.rows = 0;
  for (const QuantizedTensor* matrix : matrices) {
    if (!(matrix->scheme == first.scheme) || matrix->cols != first.cols ||
        matrix->tensor_scale != first.tensor_scale || matrix->codebook != first.codebook) {
      return std::nullopt;
    }
    if (matrix != matrices.back() && !ends_evenly(*matrix)) return std::nullopt;
    whole.rows += matrix->rows;
  }
  whole.codes = joined(matrices, &QuantizedTensor::codes);
  whole.scales = joined(matrices, &QuantizedTensor::scales);
  whole.zero_points = joined(matrices, &QuantizedTensor::zero_points);
  return whole;
}

Result<Linear> Linear::create(std::span<const LinearPart> parts,
                              const kernel::PackOptions& options) {
  Linear linear;
  std::vector<const QuantizedTensor*> weights;
  for (const LinearPart& part : parts) {
    weights.push_back(part.weight);
    linear.first_rows_.push_back(linear.total_rows_);
    linear.total_rows_ += part.weight->rows;
    linear.biases_.push_back(part.bias == nullptr ? std::vector<float>() : *part.bias);
  }
  const auto pack = [&](const QuantizedTensor& weight, const std::string& name) -> Status {
    auto packed = kernel::pack(weight, options);
    if (!packed) return with_context(packed.error(), name);
    linear.matrices_.push_back(std::move(*packed));
    return {};
  };
  if (parts.size() > 1) {
    if (const std::optional<QuantizedTensor> whole = concatenate_rows(weights)) {
      ANYBIT_TRY(pack(*whole, parts.front().name));
      return linear;
    }
  }
  for (const LinearPart& part : parts) ANYBIT_TRY(pack(*part.weight, part.name));
  return linear;
}

void Linear::run(const float* a, int64_t num_rows, float* out, Threads threads) const {
  float* target = out;
  for (const auto& matrix : matrices_) {
    matrix->matmul(a, num_rows, target, threads);
    target += num_rows * matrix->rows();
  }
  add_biases(num_rows, out);
}

StridedRows Linear::part(int64_t index, int64_t num_rows, float* out) const {
  const auto part = static_cast<size_t>(index);
  ANYBIT_DCHECK(part < first_rows_.size());
  const bool is_alone = matrices_.size() == first_rows_.size();
  if (!is_alone) return {out + first_rows_[part], total_rows_};
  return {out + num_rows * first_rows_[part], matrices_[part]->rows()};
}

void Linear::add_biases(int64_t num_rows, float* out) const {
  for (size_t index = 0; index < biases_.size(); ++index) {
    const std::vector<float>& bias = biases_[index];
    if (bias.empty()) continue;
    const StridedRows rows = part(static_cast<int64_t>(index), num_rows, out);
    for (int64_t row = 0; row < num_rows; ++row) {
      float* values = rows.values + row * rows.row_stride;
      for (size_t i = 0; i < bias.size(); ++i) values[i] += bias[i];
    }
  }
}

int64_t Linear::size_bytes() const {
  int64_t size_bytes = 0;
  for (const auto& matrix : matrices_) size_bytes += matrix->size_bytes();
  for (const auto& bias : biases_) {
    size_bytes += static_cast<int64_t>(bias.size() * sizeof(float));
  }
  return size_bytes;
}

void Linear::collect_kernel_names(std::vector<std::string>& names) const {
  for (const auto& matrix : matrices_) {
    const std::string name(matrix->kernel_name());
    if (std::ranges::find(names, name) == names.end()) names.push_back(name);
  }
}

}  // namespace anybit::model::internal
