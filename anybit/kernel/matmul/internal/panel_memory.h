// Memory that kernels stream: aligned to 64 bytes, and in huge pages where the system grants them,
// which a plain Buffer does not ask for.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

namespace anybit::kernel::internal {

class PanelMemory {
 public:
  PanelMemory() = default;
  /// `size_bytes` bytes of unspecified content. Aborts only if the process is out of memory.
  explicit PanelMemory(int64_t size_bytes);

  std::byte* data() { return bytes_.get(); }
  const std::byte* data() const { return bytes_.get(); }
  int64_t size() const { return size_bytes_; }

  template <class T>
  T* as() {
    return reinterpret_cast<T*>(bytes_.get());
  }
  template <class T>
  const T* as() const {
    return reinterpret_cast<const T*>(bytes_.get());
  }

 private:
  struct Free {
    void operator()(std::byte* bytes) const;
  };
  std::unique_ptr<std::byte, Free> bytes_;
  int64_t size_bytes_ = 0;
};

}  // namespace anybit::kernel::internal
