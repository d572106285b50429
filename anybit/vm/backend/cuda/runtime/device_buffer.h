// DeviceBuffer: global memory of one device, freed with the object.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>
#include <vector>

#include "anybit/base/result.h"
#include "anybit/vm/backend/cuda/runtime/device.h"

namespace anybit::vm::cuda {

/// Uninitialized bytes on a device, aligned to 256. Copies and fills wait for all earlier work on
/// the device, on every stream, and are done when they return: for loading and for tests, not for
/// the middle of a forward pass.
class DeviceBuffer {
 public:
  /// Post: size_bytes() is `size_bytes`; the address of an empty buffer is 0.
  /// Errors: kInvalidArgument if negative; kOutOfMemory with what is free.
  static Result<DeviceBuffer> allocate(const Device& device, int64_t size_bytes);

  /// A buffer that holds `bytes`. Errors: as allocate() and write().
  static Result<DeviceBuffer> copy_of(const Device& device, std::span<const std::byte> bytes);
  template <class T>
  static Result<DeviceBuffer> copy_of(const Device& device, const std::vector<T>& elements) {
    static_assert(std::is_trivially_copyable_v<T>);
    return copy_of(device, std::as_bytes(std::span(elements)));
  }

  DeviceBuffer(DeviceBuffer&& other) noexcept;
  DeviceBuffer& operator=(DeviceBuffer&& other) noexcept;
  ~DeviceBuffer();

  DevicePointer address() const { return address_; }
  int64_t size_bytes() const { return size_bytes_; }

  /// Copies `bytes` from the host to [offset, offset + bytes.size()).
  /// Errors: kInvalidArgument if that does not lie inside; what the driver says, faults of earlier
  /// kernels included.
  Status write(std::span<const std::byte> bytes, int64_t offset = 0);

  /// Copies [offset, offset + bytes.size()) to the host. Errors: as for write().
  Status read(std::span<std::byte> bytes, int64_t offset = 0) const;

  /// Copies all of `source`, of the same device, to [offset, offset + source.size_bytes()).
  /// Errors: as for write().
  Status write(const DeviceBuffer& source, int64_t offset = 0);

  /// Sets every byte to `value`. Errors: as for write().
  Status fill(std::byte value);

  /// The whole buffer as elements of T.
  /// Errors: kInvalidArgument if its size is not a multiple of T's; as for read().
  template <class T>
  Result<std::vector<T>> to_vector() const {
    static_assert(std::is_trivially_copyable_v<T>);
    if (size_bytes_ % static_cast<int64_t>(sizeof(T)) != 0) {
      return fail(ErrorCode::kInvalidArgument, "{} bytes are no whole number of elements of {}",
                  size_bytes_, sizeof(T));
    }
    std::vector<T> elements(static_cast<size_t>(size_bytes_) / sizeof(T));
    ANYBIT_TRY(read(std::as_writable_bytes(std::span(elements))));
    return elements;
  }

 private:
  DeviceBuffer(const Device& device, DevicePointer address, int64_t size_bytes)
      : device_(device), address_(address), size_bytes_(size_bytes) {}
  Status check_range(int64_t offset, int64_t num_bytes) const;
  void release();

  Device device_;
  DevicePointer address_ = 0;
  int64_t size_bytes_ = 0;
};

}  // namespace anybit::vm::cuda
