// Products of 16-bit activations with weights of 1 to 8 bits on a GPU: correctness of every
// format, and times beside the floor.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "gpu_case.h"

namespace anybit::bench {

struct WeightOnlyOptions {
  std::vector<std::string> schemes;                 // Empty: the default list.
  std::vector<std::pair<int64_t, int64_t>> shapes;  // (k, n); empty: those of the product.
  std::vector<int64_t> ms;                          // Empty: 1, 16.
  bool wants_checks = true;
  bool wants_times = true;
  int64_t top = 0;           // Of a sweep, only so many, those of least predicted time; 0: all.
  bool wants_sweep = false;  // Times every schedule, not only the chosen one.
  std::vector<int64_t> tile_rows;  // Empty: what choose_tile_rows() says.
  std::string schedule;            // Of a sweep, only those whose text contains this: "w4x4 s3".
};

/// Checks and times; takes each row as soon as it is there. Beside a row's bytes stands the floor:
/// packed weights, scales, activations, output.
void run_weight_only(const GpuContext& context, const WeightOnlyOptions& options,
                     const std::function<void(const GpuRow&)>& take);

/// GB/s at which a sum of 1 GiB of f32 reads, the floor's bandwidth. 0 if it could not be measured.
double measured_read_bandwidth(const GpuContext& context);

}  // namespace anybit::bench
