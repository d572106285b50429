#include "anybit/numeric/packing.h"

#include <gtest/gtest.h>

#include <vector>

#include "anybit/base/philox.h"

namespace anybit::numeric {
namespace {

int bit_at(const std::vector<std::byte>& bytes, int64_t bit) {
  return std::to_integer<int>(bytes[bit / 8] >> (bit % 8) & std::byte{1});
}

std::vector<uint32_t> random_codes(int64_t count, int bits, uint64_t seed) {
  std::vector<uint32_t> codes(count);
  for (int64_t i = 0; i < count; ++i) {
    codes[i] = static_cast<uint32_t>(Philox(seed).bits64(i) >> (64 - bits));
  }
  return codes;
}

// Bit by bit, against the definition; the bits around the codes stay as they were.
TEST(Packing, EveryWidthPositionAndLengthIsTheBitStream) {
  for (int bits = 1; bits <= 32; ++bits) {
    for (const int64_t first : {0, 1, 5, 7, 8, 9, 16, 31}) {
      for (const int64_t count : {0, 1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 40, 67}) {
        const auto codes = random_codes(count, bits, bits * 1000 + first);
        std::vector<std::byte> packed(packed_size_bytes(first + count, bits) + 3, std::byte{0xA5});
        const std::vector<std::byte> before = packed;
        const int64_t used = static_cast<int64_t>(packed.size()) - 3;
        pack_codes(codes, bits, std::span(packed).first(used), first);
        for (int64_t bit = 0; bit < static_cast<int64_t>(packed.size()) * 8; ++bit) {
          const int64_t index = bit / bits - first;
          const bool is_code = index >= 0 && index < count;
          const int expected =
              is_code ? static_cast<int>(codes[index] >> (bit % bits) & 1) : bit_at(before, bit);
          ASSERT_EQ(bit_at(packed, bit), expected)
              << bits << " bits, first " << first << ", count " << count << ", bit " << bit;
        }
        std::vector<uint32_t> unpacked(count, 0xDEADBEEF);
        unpack_codes(std::span(packed).first(used), bits, unpacked, first);
        ASSERT_EQ(unpacked, codes) << bits << " bits, first " << first << ", count " << count;
        for (int64_t i = 0; i < count; ++i) {
          ASSERT_EQ(unpack_code(std::span(packed).first(used), bits, first + i), codes[i]);
        }
      }
    }
  }
}

// Heap arrays of exactly the packed size: an address sanitizer sees any access beyond.
TEST(Packing, LongRunsStayInsideTheirBytes) {
  for (int bits = 1; bits <= 32; ++bits) {
    for (const int64_t count : {1000, 1001, 1007}) {
      const auto codes = random_codes(count, bits, bits);
      std::vector<std::byte> packed(packed_size_bytes(count, bits));
      pack_codes(codes, bits, packed);
      std::vector<uint32_t> unpacked(count);
      unpack_codes(packed, bits, unpacked);
      ASSERT_EQ(unpacked, codes) << bits;
    }
  }
}

}  // namespace
}  // namespace anybit::numeric
