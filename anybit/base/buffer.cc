#include "anybit/base/buffer.h"

#include <sys/mman.h>
#include <unistd.h>

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

Buffer Buffer::mapped(std::shared_ptr<const void> owner, std::span<const std::byte> bytes) {
  Buffer result = view(std::move(owner), bytes);
  result.is_mapped_ = true;
  return result;
}

void Buffer::release_pages() const {
  if (!is_mapped_) return;
  const int64_t page = ::sysconf(_SC_PAGESIZE);
  const auto address = static_cast<int64_t>(reinterpret_cast<uintptr_t>(bytes_.data()));
  const int64_t begin = round_up(address, page) - address;
  const int64_t end = (address + size()) / page * page - address;
  if (begin >= end) return;
  // A hint: where it is refused, the pages stay until the system needs the memory.
  auto* const first = const_cast<std::byte*>(bytes_.data() + begin);
  (void)::madvise(first, static_cast<size_t>(end - begin), MADV_DONTNEED);
}

Buffer Buffer::copy_of(std::span<const std::byte> bytes) {
  Buffer result = allocate(static_cast<int64_t>(bytes.size()));
  if (!bytes.empty()) std::memcpy(result.writable().data(), bytes.data(), bytes.size());
  return result;
}

Buffer Buffer::slice(int64_t offset, int64_t size_bytes) const {
  ANYBIT_CHECK(offset >= 0 && size_bytes >= 0 && offset <= size() - size_bytes);
  Buffer result =
      view(owner_, bytes_.subspan(static_cast<size_t>(offset), static_cast<size_t>(size_bytes)));
  result.is_mapped_ = is_mapped_;
  return result;
}

std::span<std::byte> Buffer::writable() {
  ANYBIT_CHECK(is_writable_ || bytes_.empty());
  return {const_cast<std::byte*>(bytes_.data()), bytes_.size()};
}

}  // namespace anybit
