// What the cost model knows of a device: rates that kernels attain, not those of data sheets.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "anybit/vm/backend/cuda/runtime/device.h"

namespace anybit::vm {

struct DeviceModel {
  std::string name;       // The key of schedule tables: "h100".
  std::string full_name;  // As the driver says: "NVIDIA H100 80GB HBM3".
  std::string architecture;
  int num_sms = 0;
  double clock_ghz = 0;
  double dram_gb_per_s = 0;     // Copying, reads and writes counted.
  double l2_gb_per_s = 0;       // Reading.
  double mma_f16_tflops = 0;    // Of mma.sync with fragments in registers.
  double wgmma_f16_tflops = 0;  // 0: the device has none.
  double load_latency_us = 0;   // From DRAM, under load.
  double launch_us = 0;         // Between kernels of a graph.
  int64_t shared_bytes_per_cta = 0;
  int64_t shared_bytes_per_sm = 0;
  int64_t registers_per_sm = 65536;
  int64_t max_threads_per_sm = 2048;
  int64_t max_ctas_per_sm = 32;
};

/// The devices with measured rates, one row each.
std::span<const DeviceModel> known_devices();

/// The row of that name ("h100"). Errors: kNotFound, listing the names.
Result<DeviceModel> find_device_model(std::string_view name);

/// The row of the device's full name; else one of its own, with rates estimated from its clocks and
/// multiprocessors, and the full name in lower case with dashes.
DeviceModel device_model_of(const cuda::DeviceProperties& properties);

}  // namespace anybit::vm
