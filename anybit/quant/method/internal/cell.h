// Cells: the parts of a matrix that share one scale.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "anybit/numeric/scheme.h"
#include "anybit/quant/method/method.h"

namespace anybit::quant::internal {

/// The part of the matrix that one scale covers.
struct Cell {
  int64_t first_row, num_rows, first_col, num_cols;
};

/// The cell of the scale at (scale_row, scale_col) of the grid; without scales the whole matrix.
Cell cell_at(const numeric::Scheme& scheme, const WeightMatrix& weight, int64_t scale_row,
             int64_t scale_col);

/// The values of a cell (and their importances) side by side; a view where they already are.
struct CellValues {
  std::vector<float> copied_values, copied_importance;
  std::span<const float> values, importance;

  CellValues(const WeightMatrix& weight, const Cell& cell);
};

/// Errors: kInvalidArgument naming the weight and where it is not finite.
Status check_finite(const WeightMatrix& weight);

/// The largest magnitude; 0 of none.
double amax_of(std::span<const float> values);

}  // namespace anybit::quant::internal
