// Memory for the arguments of a launch.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

namespace anybit::testing {

/// `size` bytes at a multiple of 16, 0xff each: NaN of floats, so that what is not written shows.
class AlignedMemory {
 public:
  explicit AlignedMemory(size_t size) : bytes_(size + 16), size_(size) {
    std::memset(bytes_.data(), 0xff, bytes_.size());
  }
  std::span<std::byte> span() {
    const auto address = reinterpret_cast<uintptr_t>(bytes_.data());
    return {bytes_.data() + (16 - address % 16) % 16, size_};
  }
  template <class T>
  std::span<T> as() {
    return {reinterpret_cast<T*>(span().data()), size_ / sizeof(T)};
  }

 private:
  std::vector<std::byte> bytes_;
  size_t size_;
};

}  // namespace anybit::testing
