#include "anybit/vm/backend/cuda/runtime/device_buffer.h"

#include <utility>

namespace anybit::vm::cuda {

Result<DeviceBuffer> DeviceBuffer::allocate(const Device& device, int64_t size_bytes) {
  if (size_bytes < 0) {
    return fail(ErrorCode::kInvalidArgument, "a device buffer of {} bytes", size_bytes);
  }
  if (size_bytes == 0) return DeviceBuffer(device, 0, 0);
  ANYBIT_TRY(device.make_current());
  DevicePointer address = 0;
  const DriverResult result = device.api().mem_alloc(&address, static_cast<size_t>(size_bytes));
  if (result != 0) {
    Error error = driver_error(
        device.api(), result,
        fmt::format("allocating {} bytes on {}", size_bytes, device.properties().name));
    if (const auto free = device.free_bytes()) error.message += fmt::format(" ({} free)", *free);
    return tl::make_unexpected(std::move(error));
  }
  return DeviceBuffer(device, address, size_bytes);
}

Result<DeviceBuffer> DeviceBuffer::copy_of(const Device& device, std::span<const std::byte> bytes) {
  ANYBIT_ASSIGN(DeviceBuffer buffer, allocate(device, static_cast<int64_t>(bytes.size())));
  ANYBIT_TRY(buffer.write(bytes));
  return buffer;
}

DeviceBuffer::DeviceBuffer(DeviceBuffer&& other) noexcept
    : device_(other.device_),
      address_(std::exchange(other.address_, 0)),
      size_bytes_(std::exchange(other.size_bytes_, 0)) {}

DeviceBuffer& DeviceBuffer::operator=(DeviceBuffer&& other) noexcept {
  if (this != &other) {
    release();
    device_ = other.device_;
    address_ = std::exchange(other.address_, 0);
    size_bytes_ = std::exchange(other.size_bytes_, 0);
  }
  return *this;
}

DeviceBuffer::~DeviceBuffer() { release(); }

void DeviceBuffer::release() {
  if (address_ == 0) return;
  // After a fault the driver refuses this too: there is nobody to tell, and nothing to lose.
  if (device_.make_current()) device_.api().mem_free(address_);
  address_ = 0;
}

Status DeviceBuffer::check_range(int64_t offset, int64_t num_bytes) const {
  if (offset < 0 || offset > size_bytes_ || num_bytes > size_bytes_ - offset) {
    return fail(ErrorCode::kInvalidArgument,
                "{} bytes at offset {} do not lie in a device buffer of {} bytes", num_bytes,
                offset, size_bytes_);
  }
  return {};
}

Status DeviceBuffer::write(std::span<const std::byte> bytes, int64_t offset) {
  ANYBIT_TRY(check_range(offset, static_cast<int64_t>(bytes.size())));
  if (bytes.empty()) return {};
  ANYBIT_TRY(device_.synchronize());
  const DriverApi& api = device_.api();
  ANYBIT_TRY(check_driver(api,
                          api.memcpy_host_to_device(address_ + static_cast<DevicePointer>(offset),
                                                    bytes.data(), bytes.size()),
                          fmt::format("copying {} bytes to the device", bytes.size())));
  return device_.synchronize();  // The last part of a pageable copy may still be under way.
}

Status DeviceBuffer::read(std::span<std::byte> bytes, int64_t offset) const {
  ANYBIT_TRY(check_range(offset, static_cast<int64_t>(bytes.size())));
  if (bytes.empty()) return {};
  ANYBIT_TRY(device_.synchronize());
  const DriverApi& api = device_.api();
  return check_driver(
      api,
      api.memcpy_device_to_host(bytes.data(), address_ + static_cast<DevicePointer>(offset),
                                bytes.size()),
      fmt::format("copying {} bytes from the device", bytes.size()));
}

Status DeviceBuffer::write(const DeviceBuffer& source, int64_t offset) {
  ANYBIT_TRY(check_range(offset, source.size_bytes()));
  if (source.size_bytes() == 0) return {};
  ANYBIT_TRY(device_.synchronize());
  const DriverApi& api = device_.api();
  ANYBIT_TRY(check_driver(
      api,
      api.memcpy_device_to_device(address_ + static_cast<DevicePointer>(offset), source.address(),
                                  static_cast<size_t>(source.size_bytes())),
      fmt::format("copying {} bytes on the device", source.size_bytes())));
  return device_.synchronize();
}

Status DeviceBuffer::fill(std::byte value) {
  if (size_bytes_ == 0) return {};
  ANYBIT_TRY(device_.synchronize());
  const DriverApi& api = device_.api();
  ANYBIT_TRY(check_driver(api,
                          api.memset_bytes(address_, std::to_integer<unsigned char>(value),
                                           static_cast<size_t>(size_bytes_)),
                          fmt::format("filling {} bytes on the device", size_bytes_)));
  return device_.synchronize();
}

}  // namespace anybit::vm::cuda
