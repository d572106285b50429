// The emulated device: runs a kernel's threads as fibres, one block after another, so that the text
// which a GPU runs also runs where there is none. Functions of a warp wait for its 32 lanes, called
// from one line of the text. It finds deadlocks, divergent warps, shared accesses out of bounds,
// and, where global memory is declared, global ones.
// Shared memory starts as bytes 0xff (NaN in every float format), cp.async copies arrive only
// when waited for. Blocks run in the order of x, then y, then z: a block may wait for an earlier
// one, not for a later one, so that
// cluster_sync() waits for the block alone. Race detection is the interpreter's.
#pragma once

#include <array>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "anybit/base/result.h"

namespace ab {
struct EmulatedHost;
struct TensorMap;
}  // namespace ab

namespace anybit::vm {

/// How to run a kernel.
struct EmulatedLaunch {
  std::array<int, 3> grid = {1, 1, 1};
  std::array<int, 3> cluster = {1, 1, 1};  // Divides the grid.
  int block_threads = 32;                  // A multiple of 32, at most 1024.
  int shared_bytes = 0;
  /// If not empty, the only global memory that the kernel may touch.
  std::vector<std::span<const std::byte>> global_memory = {};
  /// Where ab::print goes; null: nowhere.
  std::string* printed = nullptr;
};

/// Runs body() as every thread of the grid. set_host gives the device header its host: a header
/// compiled into the caller is reached so; body calls its functions.
/// Errors: kInvalidArgument (launch), kOutOfMemory; kDeviceError if a thread fails or all wait,
/// saying which block and threads, and what for.
Status run_emulated(const EmulatedLaunch& launch,
                    const std::function<void(ab::EmulatedHost*)>& set_host,
                    const std::function<void()>& body);

struct EmulatedCompileOptions {
  /// Which kernel of the text; empty: the only one.
  std::string kernel_name = {};
  /// Where compiled kernels are kept, by content; empty: a folder of this user in the system's
  /// temporary folder.
  std::filesystem::path folder = {};
  std::string compiler = "g++";
};

/// A kernel compiled for the host. Copies share the library.
class EmulatedKernel {
 public:
  /// Runs the grid; arguments[i] points to the kernel's i-th parameter, as for cuLaunchKernel.
  /// Errors: as run_emulated().
  Status launch(const EmulatedLaunch& launch, void** arguments) const;

  const std::string& name() const { return name_; }

 private:
  friend Result<EmulatedKernel> compile_emulated(const std::string&, const EmulatedCompileOptions&);

  std::string name_;
  std::shared_ptr<void> library_;
  void (*set_host_)(ab::EmulatedHost*) = nullptr;
  void (*run_)(void** arguments) = nullptr;
};

/// Compiles a kernel's text: `AB_KERNEL name(...) { ... }` or `extern "C" __global__ void
/// name(...)` that calls the device header, which need not be included. A text compiled before is
/// loaded from the folder. Errors: kInvalidArgument with the compiler's messages, or if there is no
/// such kernel; kUnsupported if the compiler cannot be run; kIo.
Result<EmulatedKernel> compile_emulated(const std::string& source,
                                        const EmulatedCompileOptions& options = {});

/// A tensor in global memory as tensor copies see it, dimensions from the outermost to the fastest.
/// Shapes: extents, box: [rank]; stride_bytes: [rank], of which the last is not used.
struct EmulatedTensorMap {
  const void* pointer = nullptr;
  std::vector<int64_t> extents = {};
  std::vector<int64_t> stride_bytes = {};
  std::vector<int64_t> box = {};
  int element_bytes = 1;
  int swizzle_bytes = 0;  // 0, 32, 64, 128
};

/// The kernel parameter that stands for it in the emulation.
/// Errors: kInvalidArgument where the driver would refuse: misaligned pointer or strides (16), a
/// rank outside 1..5, box sides outside 1..256, a box row that is not a multiple of 16 bytes or
/// wider than the swizzle.
Result<ab::TensorMap> encode_emulated_tensor_map(const EmulatedTensorMap& map);

}  // namespace anybit::vm
