// Dense 16-bit matrix products, as VM programs.
#pragma once

#include "anybit/vm/ir/program.h"

namespace anybit::kernel {

/// A CTA's tile and how it is pipelined.
struct DenseSchedule {
  int64_t tile_m = 128;
  int64_t tile_n = 128;
  int64_t tile_k = 32;
  int64_t num_stages = 4;
  int num_warps = 4;
};

/// c[m, n] = a[m, k] . b[n, k]^T, summed in f32, on mma.
/// Parameters: a: ptr [m, k], b: ptr [n, k], c: ptr [m, n], m, n, k: i32. Elements: f16 or bf16.
/// Pre at launch: n is a multiple of 8, k of tile_k.
Result<vm::Program> dense_matmul_program(const numeric::ElementFormat& element,
                                         const DenseSchedule& schedule);

}  // namespace anybit::kernel
