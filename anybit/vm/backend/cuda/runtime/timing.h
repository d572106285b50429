// How long kernels take on a device, and how fast it moves memory: the numbers that benchmarks and
// tuning compare.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "anybit/base/result.h"
#include "anybit/vm/backend/cuda/runtime/device_buffer.h"
#include "anybit/vm/backend/cuda/runtime/module.h"
#include "anybit/vm/backend/cuda/runtime/stream.h"

namespace anybit::vm::cuda {

struct TimingOptions {
  int launches_per_graph = 32;  // At least; rounded up to whole rotations over the sets.
  int replays = 25;             // Each gives one time.
  int warmup_replays = 2;
  double warmup_us = 20'000;  // At least this long, so that the clocks have risen.
  /// What all sets together must touch, so that no set finds its data in L2. 0 times a hot cache.
  int64_t min_rotation_bytes = 200'000'000;
};

/// Microseconds per launch; a replay of a graph of launches gives their mean, and these are
/// statistics over the replays.
struct Timing {
  double median_us = 0;
  double min_us = 0;
  double max_us = 0;
  double p10_us = 0;
  double p90_us = 0;
  int launches_per_graph = 0;
  int replays = 0;
  int64_t rotation_bytes = 0;  // Touched by all sets together.
};

/// The value below which `fraction` of `values` lie, interpolated between neighbours.
/// Pre: values is not empty; 0 <= fraction <= 1.
double percentile(std::vector<double> values, double fraction);

/// Times `launch(set)`, which gives work to `stream` and must not wait, over sets 0 to num_sets - 1
/// in rotation: one graph, replayed. `bytes_per_set`: what one call reads and writes.
/// Errors: kInvalidArgument if an option is out of range, or num_sets * bytes_per_set is below
/// min_rotation_bytes, saying how many sets are enough; those of `launch`; what the driver says.
Result<Timing> time_launches(const Stream& stream, int num_sets, int64_t bytes_per_set,
                             const std::function<Status(int)>& launch,
                             const TimingOptions& options = {});

/// Times one kernel over sets of arguments. Errors: as time_launches().
Result<Timing> time_kernel(const Stream& stream, const Kernel& kernel, const LaunchShape& shape,
                           std::span<const KernelArguments> argument_sets, int64_t bytes_per_set,
                           const TimingOptions& options = {});

/// Bytes moved per second, in units of 10^9 (GB/s). Pre: microseconds > 0.
double gigabytes_per_second(int64_t bytes, double microseconds);

/// A kernel that reads the whole of `source` and writes `destination_bytes` of `destination`.
struct BandwidthKernel {
  const Kernel* kernel = nullptr;
  LaunchShape shape;
  int64_t source_bytes = 0;
  int64_t destination_bytes = 0;
  std::function<KernelArguments(DevicePointer source, DevicePointer destination)> arguments;
};

struct Bandwidth {
  double gb_per_s = 0;  // Bytes read and written, over the median time.
  int64_t bytes_moved = 0;
  Timing timing;
};

/// The device's bandwidth as `probe` attains it: read bandwidth if it writes next to nothing, copy
/// bandwidth if it writes what it reads. Allocates as many pairs of buffers as the rotation needs;
/// sources hold the byte 0x5a.
/// Errors: kInvalidArgument for sizes that are not positive (destination_bytes may be 0); as
/// DeviceBuffer::allocate() and time_launches().
Result<Bandwidth> measure_bandwidth(const Stream& stream, const BandwidthKernel& probe,
                                    const TimingOptions& options = {});

}  // namespace anybit::vm::cuda
