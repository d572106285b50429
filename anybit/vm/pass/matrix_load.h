// Instruction selection for reads of tensor-core fragments from shared memory: ldmatrix.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "anybit/layout/register_layout.h"
#include "anybit/vm/ir/tensor_type.h"
#include "anybit/vm/pass/scalar_analysis.h"
#include "anybit/vm/pass/shared_plan.h"

namespace anybit::vm {

/// A tile in shared memory as a grid of matrices of 8 rows of 16 bytes, which ldmatrix reads: lane
/// l gets 4 bytes of row l / 4 (transposed: the 16-bit pieces of column l / 4).
struct MatrixLoadPlan {
  bool is_transposed = false;
  layout::RegisterLayout matrices;  // Which warp holds which matrix.
  int row_dim = 0;                  // Along which the rows of a matrix follow each other.
  int run_dim = 0;                  // Along which a row runs.
  std::vector<int64_t> weights;  // What a step of a matrix along each dimension adds, in elements.
  int64_t group = 1;             // Matrices that one instruction reads: 4, 2, 1.

  /// What the place of a warp's `matrix` adds to the element index.
  int64_t linear(int64_t matrix) const;
};

/// How a register tile of `type` is read with ldmatrix by `num_threads` threads. Nothing: its
/// layout is no product of such matrices, or their rows are not proved to be 16 aligned bytes.
std::optional<MatrixLoadPlan> plan_matrix_load(const TensorType& type, const SharedView& shared,
                                               int64_t num_threads, const ScalarAnalysis& scalars);

}  // namespace anybit::vm
