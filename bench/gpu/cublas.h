// cuBLAS as the rival of dense matrix products; found and loaded at run time.
#pragma once

#include "gpu_case.h"

namespace anybit::bench {

/// The row of c[m, n] = a[m, k] . b[n, k]^T in f16, summed in f32, by cublasGemmEx: timed as our
/// kernels are. What fails (no library, say) becomes the row's problem.
GpuRow cublas_row(const GpuContext& context, int64_t m, int64_t n, int64_t k);

}  // namespace anybit::bench
