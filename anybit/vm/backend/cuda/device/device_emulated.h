// The emulated body of the device header: plain C++, each thread of the block a fibre. What it asks
// of the emulator is emulated_host.h. The functions are documented in the PTX body.
// clang-format off: each file uses those before it.
#pragma once

#include "anybit/vm/backend/cuda/device/device_float.h"
#include "anybit/vm/backend/cuda/device/device_fp8.h"
#include "anybit/vm/backend/cuda/device/device_integer.h"
#include "anybit/vm/backend/cuda/device/device_tile.h"
#include "anybit/vm/backend/cuda/device/device_types.h"
#include "anybit/vm/backend/cuda/device/emulated_hopper.h"
#include "anybit/vm/backend/cuda/device/emulated_host.h"
#include "anybit/vm/backend/cuda/device/emulated_matrix.h"
#include "anybit/vm/backend/cuda/device/emulated_memory.h"
#include "anybit/vm/backend/cuda/device/emulated_scalar.h"
#include "anybit/vm/backend/cuda/device/emulated_thread.h"
#include "anybit/vm/backend/cuda/device/emulated_wgmma.h"
