// The PTX body of the device header. It includes nothing else, so that NVRTC reads little.
// clang-format off: each file uses those before it.
#pragma once

#include "anybit/vm/backend/cuda/device/device_types.h"
#include "anybit/vm/backend/cuda/device/device_integer.h"
#include "anybit/vm/backend/cuda/device/device_float.h"
#include "anybit/vm/backend/cuda/device/ptx_bits.h"
#include "anybit/vm/backend/cuda/device/ptx_half.h"
#include "anybit/vm/backend/cuda/device/ptx_memory.h"
#include "anybit/vm/backend/cuda/device/ptx_thread.h"
#include "anybit/vm/backend/cuda/device/ptx_atomic.h"
#include "anybit/vm/backend/cuda/device/ptx_matrix.h"
#include "anybit/vm/backend/cuda/device/ptx_hopper.h"
#if defined(__CUDACC__)
#include "anybit/vm/backend/cuda/device/device_fp8.h"
#include "anybit/vm/backend/cuda/device/device_tile.h"
#endif
