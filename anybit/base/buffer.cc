#include "anybit/base/buffer.h"

#include <cstdlib>
#include <cstring>
#include <utility>

#include "anybit/base/check.h"
#include "anybit/base/integer.h"

namespace anybit {

Buffer Buffer::allocate(int64_t size_bytes) {
  ANYBIT_CHECK(size_bytes >= 0);
  Buffer result;
  if (size_bytes > 0) {
    constexpr int64_t kAlignment = 64;
    const auto capacity = static_cast<size_t>(round_up(size_bytes, kAlignment));
    void* memory = std::aligned_alloc(kAlignment, capacity);
    ANYBIT_CHECK(memory != nullptr);
    std::memset(memory, 0, capacity);
    result.owner_ = std::shared_ptr<const void>(memory, [](void* p) { std::free(p); });
    result.bytes_ = {static_cast<const std::byte*>(memory), static_cast<size_t>(size_bytes)};
  }
  result.is_writable_ = true;
  return result;
}

Buffer Buffer::view(std::shared_ptr<const void> owner, std::span<const std::byte> bytes) {
  Buffer result;
  result.owner_ = std::move(owner);
  result.bytes_ = bytes;
  return result;
}

Buffer Buffer::copy_of(std::span<const std::byte> bytes) {
  Buffer result = allocate(static_cast<int64_t>(bytes.size()));
  if (!bytes.empty()) std::memcpy(result.writable().data(), bytes.data(), bytes.size());
  return result;
}

Buffer Buffer::slice(int64_t offset, int64_t size_bytes) const {
  ANYBIT_CHECK(offset >= 0 && size_bytes >= 0 && offset <= size() - size_bytes);
  return view(owner_, bytes_.subspan(static_cast<size_t>(offset), static_cast<size_t>(size_bytes)));
}

std::span<std::byte> Buffer::writable() {
  ANYBIT_CHECK(is_writable_ || bytes_.empty());
  return {const_cast<std::byte*>(bytes_.data()), bytes_.size()};
}

}  // namespace anybit
