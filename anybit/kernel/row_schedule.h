// How kernels over the rows of a matrix are cut into CTAs.
#pragma once

#include <cstdint>

namespace anybit::kernel {

struct RowSchedule {
  int num_warps = 4;
  int64_t rows = 1;  // Of a CTA.
};

}  // namespace anybit::kernel
