#include "anybit/vm/tuning/device_model.h"

#include <algorithm>
#include <array>
#include <cctype>

namespace anybit::vm {

std::span<const DeviceModel> known_devices() {
  // Source: bench/results/h100. The copy bandwidth is measured, wgmma's rate is what cuBLAS attains
  // with random data; the rates of mma and L2 and the latency under load are fitted to the times of
  // 85 schedules of four products.
  static const std::array<DeviceModel, 1> kDevices = {{{.name = "h100",
                                                        .full_name = "NVIDIA H100 80GB HBM3",
                                                        .architecture = "sm_90a",
                                                        .num_sms = 132,
                                                        .clock_ghz = 1.70,
                                                        .dram_gb_per_s = 2943,
                                                        .l2_gb_per_s = 8000,
                                                        .mma_f16_tflops = 600,
                                                        .wgmma_f16_tflops = 780,
                                                        .load_latency_us = 1.2,
                                                        .launch_us = 1.5,
                                                        .shared_bytes_per_cta = 227 * 1024,
                                                        .shared_bytes_per_sm = 228 * 1024}}};
  return kDevices;
}

Result<DeviceModel> find_device_model(std::string_view name) {
  std::string names;
  for (const DeviceModel& device : known_devices()) {
    if (device.name == name) return device;
    names += (names.empty() ? "" : ", ") + device.name;
  }
  return fail(ErrorCode::kNotFound, "no device called {} is known; there are: {}", name, names);
}

DeviceModel device_model_of(const cuda::DeviceProperties& properties) {
  for (const DeviceModel& device : known_devices()) {
    if (device.full_name == properties.name) return device;
  }
  DeviceModel device;
  device.full_name = properties.name;
  for (const char c : properties.name) {
    const bool keeps = std::isalnum(static_cast<unsigned char>(c)) != 0;
    if (keeps) device.name += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    if (!keeps && !device.name.empty() && device.name.back() != '-') device.name += '-';
  }
  device.architecture = properties.architecture();
  device.num_sms = std::max(1, properties.num_sms);
  device.clock_ghz = properties.clock_khz / 1e6;
  // Two transfers a clock; nine tenths of it are attained.
  device.dram_gb_per_s =
      0.9 * 2 * properties.memory_clock_khz / 1e6 * properties.memory_bus_bits / 8;
  const double ghz_sms = device.clock_ghz * device.num_sms;
  device.l2_gb_per_s = 35 * ghz_sms;  // Bytes a clock of a multiprocessor, as on the H100.
  // Multiply-adds of f16 a clock of a multiprocessor: 512 from sm_80 on, 1024 of sm_90 and later.
  const bool is_hopper = properties.compute_major >= 9;
  device.mma_f16_tflops = 2e-3 * ghz_sms * (is_hopper ? 1340 : 480);
  device.wgmma_f16_tflops = properties.compute_major == 9 ? 2e-3 * ghz_sms * 1740 : 0;
  device.load_latency_us = 1.2;
  device.launch_us = 1.5;
  device.shared_bytes_per_cta = properties.shared_bytes_per_cta_optin;
  device.shared_bytes_per_sm = properties.shared_bytes_per_sm;
  device.registers_per_sm = properties.registers_per_sm;
  device.max_threads_per_sm =
      properties.compute_major == 8 && properties.compute_minor != 0 ? 1536 : 2048;
  return device;
}

}  // namespace anybit::vm
