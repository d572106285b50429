// The canonical packing of sub-byte codes: element i is bits [i * b, (i + 1) * b) of a
// little-endian bit stream. Kernels may repack; what is on disk is this.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace anybit::numeric {

/// Bytes that `count` codes of `bits` bits take: ceil(count * bits / 8).
constexpr int64_t packed_size_bytes(int64_t count, int bits) { return (count * bits + 7) / 8; }

/// Packs codes[i] into bits [(first + i) * bits, ...) of `packed`, leaving all other bits alone.
/// Pre: 1 <= bits <= 32; every code < 2^bits; packed holds first + codes.size() codes.
void pack_codes(std::span<const uint32_t> codes, int bits, std::span<std::byte> packed,
                int64_t first = 0);

/// Reads codes [first, first + codes.size()). Pre: as for pack_codes().
void unpack_codes(std::span<const std::byte> packed, int bits, std::span<uint32_t> codes,
                  int64_t first = 0);

/// One code.
uint32_t unpack_code(std::span<const std::byte> packed, int bits, int64_t index);

}  // namespace anybit::numeric
