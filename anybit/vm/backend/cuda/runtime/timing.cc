#include "anybit/vm/backend/cuda/runtime/timing.h"

#include <algorithm>
#include <cmath>

#include "anybit/base/check.h"
#include "anybit/base/integer.h"

namespace anybit::vm::cuda {
namespace {

constexpr int kMaxLaunches = 100'000;  // Of one graph.
constexpr int kMaxWarmups = 10'000;

Status check_options(int num_sets, int64_t bytes_per_set, const TimingOptions& options) {
  if (num_sets < 1 || bytes_per_set < 0 || options.launches_per_graph < 1 || options.replays < 1 ||
      options.warmup_replays < 0) {
    return fail(ErrorCode::kInvalidArgument,
                "timing: {} sets of {} bytes, {} launches, {} replays, {} warm-ups: expected "
                "positive numbers",
                num_sets, bytes_per_set, options.launches_per_graph, options.replays,
                options.warmup_replays);
  }
  if (num_sets > kMaxLaunches || options.launches_per_graph > kMaxLaunches) {
    return fail(ErrorCode::kInvalidArgument, "timing: {} sets, {} launches: expected at most {}",
                num_sets, options.launches_per_graph, kMaxLaunches);
  }
  if (options.min_rotation_bytes <= 0) return {};
  const int64_t enough =
      bytes_per_set == 0 ? -1 : ceil_div(options.min_rotation_bytes, bytes_per_set);
  if (bytes_per_set == 0 || num_sets < enough) {
    return fail(ErrorCode::kInvalidArgument,
                "timing: {} sets of {} bytes may stay in L2: expected {} bytes in all, that is {} "
                "sets",
                num_sets, bytes_per_set, options.min_rotation_bytes,
                enough < 0 ? "endless" : std::to_string(enough));
  }
  return {};
}

/// Replays graphs between two events.
class Stopwatch {
 public:
  static Result<Stopwatch> create(const Stream& stream) {
    ANYBIT_ASSIGN(Event start, Event::create(stream.device()));
    ANYBIT_ASSIGN(Event end, Event::create(stream.device()));
    return Stopwatch(stream, std::move(start), std::move(end));
  }

  /// Microseconds of one replay.
  Result<double> replay(const Graph& graph) {
    ANYBIT_TRY(start_.record(*stream_));
    ANYBIT_TRY(graph.launch(*stream_));
    ANYBIT_TRY(end_.record(*stream_));
    ANYBIT_TRY(end_.synchronize());
    return end_.microseconds_since(start_);
  }

 private:
  Stopwatch(const Stream& stream, Event start, Event end)
      : stream_(&stream), start_(std::move(start)), end_(std::move(end)) {}

  const Stream* stream_;
  Event start_;
  Event end_;
};

}  // namespace

double percentile(std::vector<double> values, double fraction) {
  ANYBIT_CHECK(!values.empty() && fraction >= 0 && fraction <= 1);
  std::sort(values.begin(), values.end());
  const double position = fraction * static_cast<double>(values.size() - 1);
  const auto lower = static_cast<size_t>(position);
  const size_t upper = std::min(lower + 1, values.size() - 1);
  return std::lerp(values[lower], values[upper], position - static_cast<double>(lower));
}

Result<Timing> time_launches(const Stream& stream, int num_sets, int64_t bytes_per_set,
                             const std::function<Status(int)>& launch,
                             const TimingOptions& options) {
  ANYBIT_TRY(check_options(num_sets, bytes_per_set, options));
  Timing timing;
  timing.launches_per_graph =
      static_cast<int>(round_up(options.launches_per_graph, int64_t{num_sets}));
  timing.replays = options.replays;
  timing.rotation_bytes = num_sets * bytes_per_set;
  // Once outside the graph: what fails to launch or faults says so here.
  ANYBIT_TRY(launch(0));
  ANYBIT_TRY(stream.synchronize());
  ANYBIT_ASSIGN(const Graph graph, Graph::capture(stream, [&]() -> Status {
                  for (int i = 0; i < timing.launches_per_graph; ++i) {
                    ANYBIT_TRY(launch(i % num_sets));
                  }
                  return {};
                }));
  ANYBIT_ASSIGN(Stopwatch stopwatch, Stopwatch::create(stream));
  double warm_us = 0;
  for (int i = 0; i < kMaxWarmups && (i < options.warmup_replays || warm_us < options.warmup_us);
       ++i) {
    ANYBIT_ASSIGN(const double replay_us, stopwatch.replay(graph));
    warm_us += replay_us;
  }
  std::vector<double> times;
  for (int i = 0; i < options.replays; ++i) {
    ANYBIT_ASSIGN(const double replay_us, stopwatch.replay(graph));
    times.push_back(replay_us / timing.launches_per_graph);
  }
  timing.median_us = percentile(times, 0.5);
  timing.min_us = percentile(times, 0.0);
  timing.max_us = percentile(times, 1.0);
  timing.p10_us = percentile(times, 0.1);
  timing.p90_us = percentile(times, 0.9);
  return timing;
}

Result<Timing> time_kernel(const Stream& stream, const Kernel& kernel, const LaunchShape& shape,
                           std::span<const KernelArguments> argument_sets, int64_t bytes_per_set,
                           const TimingOptions& options) {
  return time_launches(
      stream, static_cast<int>(argument_sets.size()), bytes_per_set,
      [&](int set) {
        return kernel.launch(stream, shape, argument_sets[static_cast<size_t>(set)]);
      },
      options);
}

double gigabytes_per_second(int64_t bytes, double microseconds) {
  constexpr double kBytesPerMicrosecond = 1e3;  // Of 1 GB/s.
  return static_cast<double>(bytes) / microseconds / kBytesPerMicrosecond;
}

Result<Bandwidth> measure_bandwidth(const Stream& stream, const BandwidthKernel& probe,
                                    const TimingOptions& options) {
  if (probe.source_bytes < 1 || probe.destination_bytes < 0) {
    return fail(ErrorCode::kInvalidArgument,
                "measuring bandwidth: a source of {} bytes, a destination of {}",
                probe.source_bytes, probe.destination_bytes);
  }
  ANYBIT_CHECK(probe.kernel != nullptr && probe.arguments != nullptr);
  Bandwidth bandwidth;
  bandwidth.bytes_moved = probe.source_bytes + probe.destination_bytes;
  const int64_t num_sets = std::max<int64_t>(
      1, ceil_div(std::max<int64_t>(options.min_rotation_bytes, 0), bandwidth.bytes_moved));
  std::vector<DeviceBuffer> buffers;
  std::vector<KernelArguments> sets;
  for (int64_t set = 0; set < num_sets; ++set) {
    ANYBIT_ASSIGN(DeviceBuffer source, DeviceBuffer::allocate(stream.device(), probe.source_bytes));
    ANYBIT_TRY(source.fill(std::byte{0x5a}));
    ANYBIT_ASSIGN(DeviceBuffer destination,
                  DeviceBuffer::allocate(stream.device(), probe.destination_bytes));
    sets.push_back(probe.arguments(source.address(), destination.address()));
    buffers.push_back(std::move(source));
    buffers.push_back(std::move(destination));
  }
  ANYBIT_ASSIGN(bandwidth.timing, time_kernel(stream, *probe.kernel, probe.shape, sets,
                                              bandwidth.bytes_moved, options));
  if (bandwidth.timing.median_us <= 0) {
    return fail(ErrorCode::kDeviceError, "measuring bandwidth: a launch took {} µs",
                bandwidth.timing.median_us);
  }
  bandwidth.gb_per_s = gigabytes_per_second(bandwidth.bytes_moved, bandwidth.timing.median_us);
  return bandwidth;
}

}  // namespace anybit::vm::cuda
