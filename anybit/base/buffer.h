// Buffer: immutable-by-sharing bytes that somebody keeps alive: memory we allocated (64-byte
// aligned) or a part of a mapped file. Copying a Buffer copies the reference, not the bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

namespace anybit {

class Buffer {
 public:
  Buffer() = default;

  /// Allocates `size_bytes` zeroed bytes, aligned to 64. Pre: size_bytes >= 0.
  /// Aborts only if the process is out of memory: callers check sizes from files beforehand.
  static Buffer allocate(int64_t size_bytes);

  /// A view of `bytes`, which `owner` keeps alive.
  static Buffer view(std::shared_ptr<const void> owner, std::span<const std::byte> bytes);

  /// The same for a memory-mapped file that stays as it is.
  static Buffer mapped(std::shared_ptr<const void> owner, std::span<const std::byte> bytes);

  /// A copy of `bytes` in memory of its own.
  static Buffer copy_of(std::span<const std::byte> bytes);

  /// The part [offset, offset + size_bytes), sharing ownership. Pre: it lies inside.
  Buffer slice(int64_t offset, int64_t size_bytes) const;

  /// Says that the bytes will not be read again soon. Effects: whole pages of a mapped file leave
  /// the process's memory, and come back from the file when they are read; nothing otherwise.
  void release_pages() const;

  const std::byte* data() const { return bytes_.data(); }
  int64_t size() const { return static_cast<int64_t>(bytes_.size()); }
  bool empty() const { return bytes_.empty(); }
  std::span<const std::byte> bytes() const { return bytes_; }

  /// The bytes for writing. Pre: made by allocate() or copy_of() and not shared with a reader yet.
  std::span<std::byte> writable();

  /// The bytes as elements of T. Pre: the address is aligned for T.
  template <class T>
  std::span<const T> as() const {
    return {reinterpret_cast<const T*>(bytes_.data()), bytes_.size() / sizeof(T)};
  }

  /// The bytes as writable elements of T; see writable().
  template <class T>
  std::span<T> writable_as() {
    const std::span<std::byte> all = writable();
    return {reinterpret_cast<T*>(all.data()), all.size() / sizeof(T)};
  }

 private:
  std::shared_ptr<const void> owner_;
  std::span<const std::byte> bytes_;
  bool is_writable_ = false;
  bool is_mapped_ = false;
};

}  // namespace anybit
