// Modules (loaded cubins), their kernels, and launching them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "anybit/base/check.h"
#include "anybit/base/result.h"
#include "anybit/vm/backend/cuda/runtime/device.h"
#include "anybit/vm/backend/cuda/runtime/stream.h"

namespace anybit::vm::cuda {

struct Dim3 {
  uint32_t x = 1;
  uint32_t y = 1;
  uint32_t z = 1;

  uint64_t count() const { return uint64_t{x} * y * z; }
};

/// How many CTAs, of how many threads, with how much shared memory.
struct LaunchShape {
  Dim3 grid;                       // CTAs.
  Dim3 cta;                        // Threads.
  Dim3 cluster;                    // CTAs; 1, 1, 1: no cluster is asked for.
  int64_t shared_bytes = 0;        // Dynamic.
  bool overlaps_previous = false;  // May start before the stream's previous kernel ends
                                   // (programmatic dependent launch): the kernel itself must wait.
};

/// The values of a kernel's parameters, in order. Values are copied when added.
class KernelArguments {
 public:
  static constexpr size_t kMaxBytes = 128;  // Of one value: a TensorMap.
  static constexpr size_t kMaxArguments = 64;

  /// Adds a value; its type must have the size of the kernel's parameter.
  /// Pre: fewer than kMaxArguments were added.
  template <class T>
  KernelArguments& add(const T& value) {
    static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= kMaxBytes);
    ANYBIT_CHECK(slots_.size() < kMaxArguments);
    Slot& slot = slots_.emplace_back();
    std::memcpy(slot.bytes.data(), &value, sizeof(T));
    slot.size_bytes = sizeof(T);
    return *this;
  }

  size_t size() const { return slots_.size(); }
  size_t size_bytes(size_t index) const { return slots_[index].size_bytes; }
  const std::byte* bytes(size_t index) const { return slots_[index].bytes.data(); }

 private:
  struct alignas(kMaxBytes) Slot {
    std::array<std::byte, kMaxBytes> bytes{};
    size_t size_bytes = 0;
  };
  std::vector<Slot> slots_;
};

/// What the driver says of a loaded kernel.
struct KernelAttributes {
  int registers = 0;
  int max_threads_per_cta = 0;
  int64_t shared_bytes = 0;    // Static.
  int64_t local_bytes = 0;     // Of a thread: spills and arrays that found no register.
  int64_t constant_bytes = 0;  // User's.
  int binary_version = 0;      // 90: compiled for sm_90.
};

/// A kernel of a module, which it keeps loaded. Copies are the same kernel.
class Kernel {
 public:
  const std::string& name() const;
  const KernelAttributes& attributes() const;
  const Device& device() const;

  /// Sizes of the parameters in bytes; empty if the driver (before 12.4) cannot tell.
  std::span<const int64_t> parameter_bytes() const;

  /// Lets launches take up to this much dynamic shared memory; needed above 48 KiB less the static.
  /// Effects: for all copies of this kernel. Errors: kInvalidArgument if negative; kUnsupported
  /// naming the device's limit; what the driver says.
  Status set_dynamic_shared_bytes(int64_t size_bytes);

  /// CTAs of this shape that one SM holds at a time. Errors: what the driver says.
  Result<int> ctas_per_sm(int num_threads, int64_t dynamic_shared_bytes) const;

  /// Gives one launch to `stream`; returns before it has run. A fault inside the kernel is reported
  /// by whatever waits for it.
  /// Errors: kInvalidArgument, before anything is launched, if an extent is 0, the cluster does not
  /// divide the grid, the CTA or its shared memory exceed what the kernel was compiled or set for,
  /// or the arguments do not fit the parameters; kUnsupported for a cluster on a device without;
  /// what the driver says.
  Status launch(const Stream& stream, const LaunchShape& shape,
                const KernelArguments& arguments) const;

 private:
  friend class Module;
  struct State;
  explicit Kernel(std::shared_ptr<State> state) : state_(std::move(state)) {}
  Status check_launch(const LaunchShape& shape, const KernelArguments& arguments) const;

  std::shared_ptr<State> state_;
};

/// A cubin in a device's memory; unloaded with the last copy and the last of its kernels.
class Module {
 public:
  /// Errors: kCorruptData, kUnsupported (compiled for another architecture) and others, with the
  /// driver's log if it wrote one.
  static Result<Module> load(const Device& device, std::span<const std::byte> cubin);

  /// The kernel of this name (mangled unless extern "C"). Errors: kNotFound; what the driver says.
  Result<Kernel> kernel(const std::string& name) const;

 private:
  friend class Kernel;
  struct State;
  explicit Module(std::shared_ptr<const State> state) : state_(std::move(state)) {}

  std::shared_ptr<const State> state_;
};

}  // namespace anybit::vm::cuda
