// A CUDA driver and NVRTC without a GPU: a shared library with their entry points. It records
// calls, fails where told, keeps "device" memory on the host, counts what is alive, and advances a
// clock with every launch. It runs no kernels.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "anybit/vm/backend/cuda/runtime/library.h"

namespace anybit::testing {

/// One launch as the driver saw it.
struct FakeLaunch {
  std::string kernel;
  vm::cuda::LaunchConfig config;  // attributes is not valid any more.
  std::vector<vm::cuda::LaunchAttribute> attributes;
  std::vector<std::vector<std::byte>> arguments;  // As long as parameter_bytes.
};

struct FakeCuda {
  // What the fake does.
  std::map<std::string, int> failures;  // Entry point -> the result it returns.
  int num_devices = 1;
  int compute_major = 9;
  std::map<int, int> function_attributes;  // CUfunction_attribute -> value.
  std::vector<size_t> parameter_bytes;     // Of every kernel.
  size_t memory_bytes = 1 << 30;
  double us_per_launch = 10;
  std::vector<double> replay_extra_us;  // Added to the replays of graphs, in turn.
  bool loses_graphs = false;            // A capture ends well but gives no graph.
  std::function<void(const FakeLaunch&)> on_launch;
  std::vector<int> nvrtc_architectures{80, 90, 100};
  std::string nvrtc_log;
  std::string nvrtc_ptx;
  int nvrtc_compile_result = 0;

  // What was done to it.
  std::vector<std::string> calls;
  std::map<std::string, int> live;   // "memory", "stream", ... -> objects not yet freed.
  std::vector<FakeLaunch> launches;  // Run, not recorded, in order; those of graphs included.
  std::vector<int64_t> tensor_map;   // The integers of the last cuTensorMapEncodeTiled.
  std::vector<std::string> nvrtc_options;
  std::vector<std::string> nvrtc_headers;  // Name, text, name, text ...

  int num_calls(const std::string& entry_point) const {
    int count = 0;
    for (const std::string& call : calls) count += call == entry_point;
    return count;
  }
};

}  // namespace anybit::testing

/// Exported by the library.
extern "C" anybit::testing::FakeCuda* anybit_fake_cuda();
