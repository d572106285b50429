// A cost model for ranking schedules: a roofline of what a CTA does each step of its main loop
// (tensor cores, shared memory, L2, plain instructions), how much latency its pipeline hides, and
// how the CTAs fill the multiprocessors in waves. It orders candidates; it promises no times.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "anybit/base/result.h"
#include "anybit/vm/tuning/device_model.h"

namespace anybit::vm {

enum class TensorCore : uint8_t { kNone, kMma, kWgmma };

/// What one launch does, as a kernel template counts it for a schedule.
struct Workload {
  // The launch.
  int64_t num_ctas = 1;
  int64_t threads_per_cta = 32;
  int64_t shared_bytes = 0;           // Of a CTA.
  int64_t registers_per_thread = 32;  // About.
  // A step of the main loop of one CTA.
  int64_t num_steps = 1;
  double step_global_bytes = 0;  // Read from global memory, most of it through L2.
  double step_shared_bytes = 0;  // Read and written between registers and shared memory.
  double step_tensor_flops = 0;  // In f16; halve what runs twice as fast.
  double step_instructions = 0;  // Of all threads, besides those of the above.
  TensorCore tensor_core = TensorCore::kNone;
  int64_t steps_ahead = 0;  // Whose loads are under way while a step is computed.
  // Before and after.
  double epilogue_bytes = 0;  // Written by a CTA.
  // All CTAs together.
  double dram_bytes = 0;  // Least traffic: each input read once, each output written once.
};

struct Estimate {
  double microseconds = 0;
  double floor_microseconds = 0;  // DRAM or tensor cores alone, whichever takes longer.
  int64_t ctas_per_sm = 0;
  double waves = 0;        // Rounds of CTAs over the device; the last counts as it is filled.
  std::string_view limit;  // What takes longest: "tensor cores", "shared memory", "L2", ...
};

/// How long a launch takes, about.
/// Errors: kUnsupported if no CTA fits a multiprocessor, saying which resource is short.
Result<Estimate> estimate(const DeviceModel& device, const Workload& workload);

}  // namespace anybit::vm
