// GPUs: which there are, what they can do, and the context that everything else lives in.
// Memory: device_buffer.h; order and time: stream.h; kernels: module.h, tensor_map.h.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "anybit/base/result.h"
#include "anybit/vm/backend/cuda/runtime/library.h"

namespace anybit::vm::cuda {

/// What a device is. Bytes are of what a program can use.
struct DeviceProperties {
  int ordinal = 0;
  std::string name;
  int compute_major = 0;
  int compute_minor = 0;
  int num_sms = 0;
  int64_t memory_bytes = 0;
  int64_t l2_bytes = 0;
  int64_t shared_bytes_per_cta = 0;        // Without asking.
  int64_t shared_bytes_per_cta_optin = 0;  // With Kernel::set_dynamic_shared_bytes().
  int64_t shared_bytes_per_sm = 0;
  int registers_per_sm = 0;
  int max_threads_per_cta = 0;
  int clock_khz = 0;
  int memory_clock_khz = 0;
  int memory_bus_bits = 0;
  bool has_clusters = false;

  /// What CompileOptions::arch should be to use all of it: "sm_86", "sm_90a", "sm_100a".
  std::string architecture() const;
};

/// A device's primary context, shared with every other user of the device in the process
/// (LibTorch, cuBLAS). Copies share it; it is released with the last object made from it.
/// Effects: every operation on a device, and on what lives in it, makes its context current on the
/// calling thread. May be used by several threads.
class Device {
 public:
  /// How many devices there are; 0 if there is a driver but no device.
  /// Errors: as load_driver(); what the driver says.
  static Result<int> count(const std::filesystem::path& driver = {});

  /// The properties of every device, by ordinal; makes no context. Errors: as for count().
  static Result<std::vector<DeviceProperties>> enumerate(const std::filesystem::path& driver = {});

  /// Opens a device. Errors: as load_driver(); kNotFound if there are fewer devices; what the
  /// driver says.
  static Result<Device> open(int ordinal = 0, const std::filesystem::path& driver = {});

  const DeviceProperties& properties() const;

  /// The driver's CUDA version: 13000 is 13.0.
  int driver_version() const;

  /// Bytes that can still be allocated, by anybody. Errors: what the driver says.
  Result<int64_t> free_bytes() const;

  /// Waits for all work on the device; reports a fault of any earlier kernel.
  /// Errors: kDeviceError; after an illegal address no later call succeeds.
  Status synchronize() const;

  /// For the other files of this folder.
  const DriverApi& api() const;
  Status make_current() const;

 private:
  struct State;
  explicit Device(std::shared_ptr<const State> state) : state_(std::move(state)) {}

  std::shared_ptr<const State> state_;
};

}  // namespace anybit::vm::cuda
