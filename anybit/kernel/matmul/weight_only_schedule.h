// Which kernel and schedule a weight-only product runs with: decided from the format, the shape and
// the device, and told in words.
#pragma once

#include <string>
#include <vector>

#include "anybit/kernel/matmul/weight_only_program.h"

namespace anybit::kernel {

/// The sizes of a product c[m, n] = a[m, k] . w[n, k]^T.
struct ProductShape {
  int64_t m = 1;
  int64_t n = 0;
  int64_t k = 0;
};

/// What a schedule asks of the machine, as far as it can be counted beforehand.
struct ScheduleCost {
  int64_t registers = 0;        // A thread needs at least about so many.
  int64_t ctas = 0;             // Of the grid.
  int64_t ctas_per_sm = 0;      // That fit at a time; 0: none.
  int64_t bytes_in_flight = 0;  // Of codes, per SM, when every warp waits.
  double occupied = 0;          // Share of the SMs' time that the grid fills.
  double microseconds = 0;      // Predicted, for an H100: a ranking rather than a promise.
};

/// Every schedule worth a try, for tiles of `rows` (as the weight is packed).
std::vector<WeightOnlySchedule> weight_only_schedules(const WeightOnlyFormat& format, int64_t rows,
                                                      const ProductShape& shape);

ScheduleCost schedule_cost(const WeightOnlyFormat& format, const WeightOnlySchedule& schedule,
                           const ProductShape& shape, int num_sms);

/// The rows of the tiles that a weight [n, k] is packed in, which all its products then share.
int64_t choose_tile_rows(const WeightOnlyFormat& format, int64_t n, int num_sms);

struct ChosenSchedule {
  WeightOnlySchedule schedule;
  ScheduleCost cost;
  std::string why;  // "1 x 16 warps: 128 CTAs fill 97 % of 132 SMs, ..."
};

/// The schedule of least predicted time.
/// Errors: kUnsupported if none fits, saying what stands in the way.
Result<ChosenSchedule> choose_schedule(const WeightOnlyFormat& format, int64_t rows,
                                       const ProductShape& shape, int num_sms);

}  // namespace anybit::kernel
