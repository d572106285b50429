// The device header: everything that generated kernels call. Namespace ab, short because generated
// text names it in every line. Two bodies of the same functions: PTX, for NVRTC and nvcc, and plain
// C++ in which the threads of a block are fibres (backend/emulated), so that the very text that
// runs on the GPU also runs without one and gives the same bits. The functions are documented in
// the PTX body. NaN results of float arithmetic are canonical (f32 0x7fffffff, f16 and bf16
// 0x7fff), as PTX makes them.
// A kernel: AB_KERNEL AB_LAUNCH_BOUNDS(128) name(const u32* x, float* y, int n) { ... }
// Embedded in the library as text: device_source.h.
#pragma once

#if defined(__CUDACC__)
#include "anybit/vm/backend/cuda/device/device_ptx.h"
#else
#include "anybit/vm/backend/cuda/device/device_emulated.h"
#endif
