#include "anybit/numeric/packing.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <type_traits>

#include "anybit/base/check.h"

namespace anybit::numeric {
namespace {

constexpr uint64_t low_mask(int bits) { return (uint64_t{1} << bits) - 1; }

uint64_t load_le(const std::byte* bytes, int64_t count) {
  uint64_t word = 0;
  if constexpr (std::endian::native == std::endian::little) {
    std::memcpy(&word, bytes, static_cast<size_t>(count));
  } else {
    for (int64_t i = 0; i < count; ++i) word |= std::to_integer<uint64_t>(bytes[i]) << (8 * i);
  }
  return word;
}

void store_le(std::byte* bytes, uint64_t word, int64_t count) {
  if constexpr (std::endian::native == std::endian::little) {
    std::memcpy(bytes, &word, static_cast<size_t>(count));
  } else {
    for (int64_t i = 0; i < count; ++i) bytes[i] = static_cast<std::byte>(word >> (8 * i));
  }
}

// A code and the bits before it in its first byte span at most 32 + 7 bits: 5 bytes.
uint32_t read_code(const std::byte* packed, int bits, int64_t index) {
  const int64_t bit = index * bits;
  const int shift = static_cast<int>(bit % 8);
  const uint64_t word = load_le(packed + bit / 8, (shift + bits + 7) / 8);
  return static_cast<uint32_t>(word >> shift & low_mask(bits));
}

void write_code(std::byte* packed, int bits, int64_t index, uint32_t code) {
  const int64_t bit = index * bits;
  const int shift = static_cast<int>(bit % 8);
  const int64_t size = (shift + bits + 7) / 8;
  std::byte* at = packed + bit / 8;
  const uint64_t kept = load_le(at, size) & ~(low_mask(bits) << shift);
  store_le(at, kept | uint64_t{code} << shift, size);
}

// Eight codes of Bits bits are Bits whole bytes. So many at a time fit a word, together with the
// bits before them in their first byte (at most 4 for widths 9..16, 6 for 17..28).
template <int Bits>
constexpr int kCodesPerWord = Bits <= 8    ? 8
                              : Bits <= 16 ? 4
                              : Bits <= 28 ? 2
                                           : 1;

/// ReadsPast: each load takes 8 bytes, needed or not.
template <int Bits, bool ReadsPast>
void unpack_eight(const std::byte* packed, uint32_t* codes) {
  constexpr int kCount = kCodesPerWord<Bits>;
  for (int first = 0; first < 8; first += kCount) {
    const int bit = first * Bits;
    const int size = ReadsPast ? 8 : (bit % 8 + kCount * Bits + 7) / 8;
    const uint64_t word = load_le(packed + bit / 8, size);
    for (int i = 0; i < kCount; ++i) {
      codes[first + i] = static_cast<uint32_t>(word >> (bit % 8 + i * Bits) & low_mask(Bits));
    }
  }
}

template <int Bits>
void pack_eight(const uint32_t* codes, std::byte* packed) {
  constexpr int kCount = kCodesPerWord<Bits>;
  uint64_t carried = 0;  // Bits of the byte that two words share.
  for (int first = 0; first < 8; first += kCount) {
    const int bit = first * Bits;
    uint64_t word = carried;
    for (int i = 0; i < kCount; ++i) word |= uint64_t{codes[first + i]} << (bit % 8 + i * Bits);
    const int used = bit % 8 + kCount * Bits;
    store_le(packed + bit / 8, word, used / 8);
    carried = used < 64 ? word >> (used / 8 * 8) : 0;
  }
}

template <int Bits>
void unpack_run(std::span<const std::byte> packed, uint32_t* codes, int64_t eights) {
  // Of eight codes, the last load starts so many bytes after the first.
  constexpr int kLastLoad = (8 - kCodesPerWord<Bits>)*Bits / 8;
  const int64_t room = static_cast<int64_t>(packed.size()) - kLastLoad - 8;
  const int64_t whole_loads = room < 0 ? 0 : std::min(eights, room / Bits + 1);
  const std::byte* at = packed.data();
  for (int64_t i = 0; i < whole_loads; ++i) {
    unpack_eight<Bits, true>(at + i * Bits, codes + i * 8);
  }
  for (int64_t i = whole_loads; i < eights; ++i) {
    unpack_eight<Bits, false>(at + i * Bits, codes + i * 8);
  }
}

template <int Bits>
void pack_run(const uint32_t* codes, std::byte* packed, int64_t eights) {
  for (int64_t i = 0; i < eights; ++i) pack_eight<Bits>(codes + i * 8, packed + i * Bits);
}

// Calls action(std::integral_constant<int, bits>).
template <int Bits = 1, class Action>
void with_bits(int bits, const Action& action) {
  if constexpr (Bits <= 32) {
    if (bits == Bits) return action(std::integral_constant<int, Bits>{});
    with_bits<Bits + 1>(bits, action);
  }
}

// Codes before the first one that starts a byte together with its index being a multiple of 8.
int64_t codes_before_eights(int64_t first, int64_t count) {
  return std::min(count, (8 - first % 8) % 8);
}

}  // namespace

void pack_codes(std::span<const uint32_t> codes, int bits, std::span<std::byte> packed,
                int64_t first) {
  const auto count = static_cast<int64_t>(codes.size());
  ANYBIT_CHECK(bits >= 1 && bits <= 32 && first >= 0);
  ANYBIT_CHECK(packed_size_bytes(first + count, bits) <= static_cast<int64_t>(packed.size()));
  const int64_t head = codes_before_eights(first, count);
  const int64_t eights = (count - head) / 8;
  for (int64_t i = 0; i < head; ++i) write_code(packed.data(), bits, first + i, codes[i]);
  with_bits(bits, [&](auto width) {
    pack_run<width.value>(codes.data() + head, packed.data() + (first + head) / 8 * bits, eights);
  });
  for (int64_t i = head + eights * 8; i < count; ++i) {
    write_code(packed.data(), bits, first + i, codes[i]);
  }
}

void unpack_codes(std::span<const std::byte> packed, int bits, std::span<uint32_t> codes,
                  int64_t first) {
  const auto count = static_cast<int64_t>(codes.size());
  ANYBIT_CHECK(bits >= 1 && bits <= 32 && first >= 0);
  ANYBIT_CHECK(packed_size_bytes(first + count, bits) <= static_cast<int64_t>(packed.size()));
  const int64_t head = codes_before_eights(first, count);
  const int64_t eights = (count - head) / 8;
  for (int64_t i = 0; i < head; ++i) codes[i] = read_code(packed.data(), bits, first + i);
  with_bits(bits, [&](auto width) {
    unpack_run<width.value>(packed.subspan(static_cast<size_t>((first + head) / 8 * bits)),
                            codes.data() + head, eights);
  });
  for (int64_t i = head + eights * 8; i < count; ++i) {
    codes[i] = read_code(packed.data(), bits, first + i);
  }
}

uint32_t unpack_code(std::span<const std::byte> packed, int bits, int64_t index) {
  ANYBIT_DCHECK(bits >= 1 && bits <= 32 && index >= 0);
  ANYBIT_DCHECK(packed_size_bytes(index + 1, bits) <= static_cast<int64_t>(packed.size()));
  return read_code(packed.data(), bits, index);
}

}  // namespace anybit::numeric
