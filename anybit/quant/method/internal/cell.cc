#include "anybit/quant/method/internal/cell.h"

#include <algorithm>
#include <cmath>

namespace anybit::quant::internal {

using numeric::Granularity;

Cell cell_at(const numeric::Scheme& scheme, const WeightMatrix& weight, int64_t scale_row,
             int64_t scale_col) {
  switch (scheme.granularity) {
    case Granularity::kNone:
    case Granularity::kTensor: return {0, weight.rows, 0, weight.cols};
    case Granularity::kChannel:
    case Granularity::kToken: return {scale_row, 1, 0, weight.cols};
    case Granularity::kGroup: {
      const int64_t first = scale_col * scheme.group_size;
      return {scale_row, 1, first, std::min(scheme.group_size, weight.cols - first)};
    }
    case Granularity::kBlock2d: {
      const int64_t row = scale_row * scheme.block_rows, col = scale_col * scheme.block_cols;
      return {row, std::min(scheme.block_rows, weight.rows - row), col,
              std::min(scheme.block_cols, weight.cols - col)};
    }
  }
  return {};
}

CellValues::CellValues(const WeightMatrix& weight, const Cell& cell) {
  const auto row_values = [&](int64_t row) {
    return weight.values.subspan(static_cast<size_t>(row * weight.cols + cell.first_col),
                                 static_cast<size_t>(cell.num_cols));
  };
  const std::span<const float> row_importance =
      weight.importance.empty() ? weight.importance
                                : weight.importance.subspan(static_cast<size_t>(cell.first_col),
                                                            static_cast<size_t>(cell.num_cols));
  if (cell.num_rows == 1) {
    values = row_values(cell.first_row);
    importance = row_importance;
    return;
  }
  for (int64_t row = cell.first_row; row < cell.first_row + cell.num_rows; ++row) {
    const auto part = row_values(row);
    copied_values.insert(copied_values.end(), part.begin(), part.end());
    copied_importance.insert(copied_importance.end(), row_importance.begin(), row_importance.end());
  }
  values = copied_values;
  importance = copied_importance;
}

Status check_finite(const WeightMatrix& weight) {
  for (size_t i = 0; i < weight.values.size(); ++i) {
    if (!std::isfinite(weight.values[i])) {
      return fail(ErrorCode::kInvalidArgument, "{}: expected finite weights, found {} at [{}, {}]",
                  weight.name, weight.values[i],
                  weight.first_row + static_cast<int64_t>(i) / weight.cols,
                  static_cast<int64_t>(i) % weight.cols);
    }
  }
  return {};
}

double amax_of(std::span<const float> values) {
  double amax = 0;
  for (const float x : values) amax = std::max<double>(amax, std::abs(x));
  return amax;
}

}  // namespace anybit::quant::internal
