#include "anybit/quant/method/tensor_parameters.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "anybit/base/check.h"
#include "anybit/quant/element_rounder.h"
#include "anybit/quant/method/fitted_codebook.h"
#include "anybit/quant/method/internal/cell.h"
#include "anybit/quant/method/internal/scale_choice.h"

namespace anybit::quant {
namespace {

using numeric::ElementKind;
using numeric::Granularity;
using numeric::Scheme;

// What a codebook is fitted to: about as many, from groups spread evenly over the tensor.
constexpr int64_t kMaxSamples = int64_t{1} << 19;

bool fits_codebook(const Scheme& scheme) {
  return scheme.element.kind == ElementKind::kCodebook &&
         scheme.codebook != numeric::StandardCodebook::kNf4;
}

}  // namespace

bool needs_scan(const Scheme& scheme) {
  if (scheme.ggml != numeric::GgmlType::kNone) return false;
  return scheme.granularity == Granularity::kTensor || scheme.has_tensor_scale ||
         scheme.element.kind == ElementKind::kCodebook;
}

TensorScan::TensorScan(const Scheme& scheme, int64_t rows, int64_t cols)
    : scheme_(scheme), rows_(rows), cols_(cols) {}

Status TensorScan::add(const WeightMatrix& slab) {
  ANYBIT_CHECK(slab.first_row == seen_rows_ && slab.cols == cols_);
  ANYBIT_TRY(internal::check_finite(slab));
  if (!slab.values.empty()) {
    const auto [low, high] = std::ranges::minmax(slab.values);
    low_ = seen_rows_ == 0 ? low : std::min(low_, low);
    high_ = seen_rows_ == 0 ? high : std::max(high_, high);
  }
  if (fits_codebook(scheme_)) add_samples(slab);
  seen_rows_ += slab.rows;
  return {};
}

// Values divided by their group's amax, each weighted by amax squared.
void TensorScan::add_samples(const WeightMatrix& slab) {
  const numeric::ScaleShape grid = numeric::scale_shape(scheme_, rows_, cols_);
  const numeric::ScaleShape slab_grid = numeric::scale_shape(scheme_, slab.rows, cols_);
  const int64_t stride = std::max<int64_t>(1, rows_ * cols_ / kMaxSamples);
  const bool skips_cells = grid.count() > stride;
  const int64_t cell_stride = skips_cells ? stride : 1, value_stride = skips_cells ? 1 : stride;
  const int64_t rows_a_cell = scheme_.granularity == Granularity::kBlock2d ? scheme_.block_rows : 1;
  const int64_t first_cell = slab.first_row / rows_a_cell * grid.cols;
  // The first multiple of the stride that is not before the slab.
  const int64_t start = (first_cell + cell_stride - 1) / cell_stride * cell_stride;
  for (int64_t i = start - first_cell; i < slab_grid.count(); i += cell_stride) {
    const internal::Cell cell =
        internal::cell_at(scheme_, slab, i / slab_grid.cols, i % slab_grid.cols);
    const internal::CellValues values(slab, cell);
    const double amax = internal::amax_of(values.values);
    if (amax == 0) continue;
    for (int64_t j = 0; j < std::ssize(values.values); j += value_stride) {
      const auto index = static_cast<size_t>(j);
      samples_.push_back(static_cast<float>(values.values[index] / amax));
      const float importance = values.importance.empty() ? 1 : values.importance[index];
      sample_weights_.push_back(static_cast<float>(amax * amax) * importance);
    }
  }
}

TensorParameters TensorScan::finish() const {
  ANYBIT_CHECK(seen_rows_ == rows_);
  TensorParameters parameters{.low = low_, .high = high_};
  if (fits_codebook(scheme_)) {
    const auto size = static_cast<int>(scheme_.element.num_codes());
    const std::vector<float> only_zero = {0}, only_one = {1};
    parameters.codebook = samples_.empty() ? fit_codebook(only_zero, only_one, size)
                                           : fit_codebook(samples_, sample_weights_, size);
  } else if (scheme_.element.kind == ElementKind::kCodebook) {
    const auto nf4 = numeric::nf4_codebook();
    parameters.codebook.assign(nf4.begin(), nf4.end());
  }
  if (scheme_.has_tensor_scale) {
    double largest = 1.0;
    if (scheme_.element.kind != ElementKind::kComplex) {
      largest = std::abs(ElementRounder(scheme_.element, parameters.codebook).max_value());
    }
    const double amax = std::max(std::abs(double{low_}), std::abs(double{high_}));
    parameters.tensor_scale = internal::tensor_scale_for(scheme_, largest, amax);
  }
  return parameters;
}

}  // namespace anybit::quant
