// Fields of a little-endian bit stream: element i of b bits is bits [i * b, (i + 1) * b).
#pragma once

#include <cstddef>
#include <cstdint>

namespace anybit::vm::reference {

/// Bits [bit, bit + count) of the stream, the lowest first. Pre: count <= 32, bit >= 0.
inline uint32_t read_bits(const std::byte* bytes, int64_t bit, int count) {
  uint64_t value = 0;
  const int64_t first = bit / 8, last = (bit + count - 1) / 8;
  for (int64_t i = first; i <= last; ++i) {
    value |= static_cast<uint64_t>(bytes[i]) << (8 * (i - first));
  }
  return static_cast<uint32_t>(value >> (bit % 8) & ((uint64_t{1} << count) - 1));
}

/// Sets bits [bit, bit + count) and leaves the others. Pre: count <= 32, bit >= 0.
inline void write_bits(std::byte* bytes, int64_t bit, int count, uint32_t value) {
  const uint64_t mask = ((uint64_t{1} << count) - 1) << (bit % 8);
  const uint64_t placed = static_cast<uint64_t>(value) << (bit % 8) & mask;
  const int64_t first = bit / 8, last = (bit + count - 1) / 8;
  for (int64_t i = first; i <= last; ++i) {
    const auto keep = static_cast<uint8_t>(~(mask >> (8 * (i - first))));
    const auto set = static_cast<uint8_t>(placed >> (8 * (i - first)));
    bytes[i] = static_cast<std::byte>((static_cast<uint8_t>(bytes[i]) & keep) | set);
  }
}

}  // namespace anybit::vm::reference
