// Dense 16-bit matrix products on Hopper's warpgroup tensor cores, as a VM program.
#pragma once

#include "anybit/vm/ir/program.h"

namespace anybit::kernel {

/// A CTA's tile, how it is pipelined, and in which order tiles are taken.
struct WgmmaSchedule {
  int64_t num_consumers = 2;  // Warpgroups that multiply, 64 rows of the tile each.
  int64_t tile_n = 256;
  int64_t tile_k = 64;
  int64_t num_stages = 4;
  int64_t group_m = 16;  // Rows of tiles that are gone through column by column.
  int64_t tile_m() const { return 64 * num_consumers; }
};

/// c[m, n] = a[m, k] . b[n, k]^T, summed in f32, on wgmma: CTAs that stay take tile after tile; one
/// warp copies operands in bulk through a ring of stages, the consumers multiply.
/// Parameters: a: ptr [m, k], b: ptr [n, k], c: ptr [m, n], m, n, k, max_ctas: i32. Elements: f16
/// or bf16. Needs sm_90a. Pre at launch: n and k are multiples of 8, max_ctas > 0: as many as can
/// run together, one a multiprocessor.
Result<vm::Program> wgmma_matmul_program(const numeric::ElementFormat& element,
                                         const WgmmaSchedule& schedule);

}  // namespace anybit::kernel
