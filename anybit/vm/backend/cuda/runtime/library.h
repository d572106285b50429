// The CUDA driver and NVRTC, found and loaded at run time: one binary runs with and without a GPU,
// and builds without CUDA's headers. Their types are declared here as far as we use them.
// What to do with them: compile.h, device.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "anybit/base/result.h"

namespace anybit::vm::cuda {

using DriverResult = int;        // CUresult; 0 is success.
using NvrtcResult = int;         // nvrtcResult; 0 is success.
using DeviceHandle = int;        // CUdevice
using DevicePointer = uint64_t;  // CUdeviceptr; 0 is null.
using ContextHandle = struct OpaqueContext*;
using StreamHandle = struct OpaqueStream*;
using EventHandle = struct OpaqueEvent*;
using ModuleHandle = struct OpaqueModule*;
using FunctionHandle = struct OpaqueFunction*;
using GraphHandle = struct OpaqueGraph*;
using GraphExecHandle = struct OpaqueGraphExec*;
using NvrtcProgramHandle = struct OpaqueNvrtcProgram*;

/// CUlaunchAttribute: `id` and the words of the value it names.
struct LaunchAttribute {
  int id = 0;
  int padding = 0;
  uint32_t value[16] = {};
};

/// CUlaunchConfig.
struct LaunchConfig {
  unsigned int grid[3] = {1, 1, 1};
  unsigned int cta[3] = {1, 1, 1};
  unsigned int shared_bytes = 0;
  StreamHandle stream = nullptr;
  LaunchAttribute* attributes = nullptr;
  unsigned int num_attributes = 0;
};

#define ANYBIT_ENTRY(member, symbol, parameters) DriverResult(*member) parameters = nullptr;
#define ANYBIT_OPTIONAL_ENTRY ANYBIT_ENTRY
/// The driver's functions, under our names (driver_entry_points.def).
struct DriverApi {
#include "anybit/vm/backend/cuda/runtime/driver_entry_points.def"
  std::string path;  // As given to the loader.
};
#undef ANYBIT_OPTIONAL_ENTRY
#undef ANYBIT_ENTRY

#define ANYBIT_ENTRY(member, symbol, parameters) NvrtcResult(*member) parameters = nullptr;
/// NVRTC's functions, under our names (nvrtc_entry_points.def).
struct NvrtcApi {
  const char* (*get_error_string)(NvrtcResult) = nullptr;
#include "anybit/vm/backend/cuda/runtime/nvrtc_entry_points.def"
  std::string path;
};
#undef ANYBIT_ENTRY

/// Loads libcuda.so.1. `library` is a file; if empty, the environment variable ANYBIT_CUDA_DRIVER,
/// and if that is not set, the loader's own search and the usual folders of drivers.
/// A library that was named is the only one tried. Initializes nothing: see Device::open().
/// Effects: the library stays loaded until the process ends.
/// Errors: kUnsupported listing what was tried and why it failed; kUnsupported naming the missing
/// functions if the driver is older than CUDA 12.0.
Result<DriverApi> load_driver(const std::filesystem::path& library = {});

/// Loads NVRTC. `library` is a file, or a folder in or under which it lies: a toolkit, or the
/// site-packages of pip's wheels. If empty: the environment variable ANYBIT_NVRTC; if that is not
/// set, CUDA_HOME, CUDA_PATH, the loader's own search, and /usr/local/cuda, in this order.
/// What was named by `library` or ANYBIT_NVRTC is the only one tried.
/// Effects and Errors: as for load_driver().
Result<NvrtcApi> load_nvrtc(const std::filesystem::path& library = {});

/// The error for a failed driver call: "copying 64 bytes to the device: CUDA_ERROR_ILLEGAL_ADDRESS
/// (700): an illegal memory access was encountered". Out of memory is kOutOfMemory; what this
/// device or driver cannot do kUnsupported; a bad argument kInvalidArgument; an unknown name
/// kNotFound; an unreadable image kCorruptData; all else kDeviceError.
/// Pre: result != 0.
Error driver_error(const DriverApi& api, DriverResult result, std::string_view operation);

/// Nothing if `result` is success, else driver_error().
Status check_driver(const DriverApi& api, DriverResult result, std::string_view operation);

/// The error for a failed NVRTC call: out of memory is kOutOfMemory, a refused option kUnsupported,
/// a program that does not compile kInvalidArgument, all else kDeviceError. Pre: result != 0.
Error nvrtc_error(const NvrtcApi& api, NvrtcResult result, std::string_view operation);

}  // namespace anybit::vm::cuda
