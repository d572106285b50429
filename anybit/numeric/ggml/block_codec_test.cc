#include "anybit/numeric/ggml/block_codec.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <fstream>
#include <limits>
#include <string>
#include <vector>

#include "anybit/base/philox.h"

namespace anybit::numeric {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

/// Bytes of one block, zero where nothing is put.
class Block {
 public:
  explicit Block(GgmlType type) : traits_(*find_ggml_type(type)), bytes_(traits_.block_bytes) {}

  Block& put(size_t offset, std::initializer_list<int> bytes) {
    for (const int byte : bytes) bytes_.at(offset++) = static_cast<std::byte>(byte);
    return *this;
  }
  Block& f16(size_t offset, int code) { return put(offset, {code & 255, code >> 8}); }

  std::vector<float> decode() const {
    std::vector<float> values(traits_.block_elements);
    EXPECT_TRUE(dequantize_ggml(traits_.type, bytes_, values));
    return values;
  }

 private:
  const GgmlTypeTraits& traits_;
  std::vector<std::byte> bytes_;
};

constexpr int kHalf = 0x3800, kOne = 0x3c00, kTwo = 0x4000, kEight = 0x4800;

TEST(Dequantize, LegacyTypes) {
  auto x = Block(GgmlType::kQ4_0).f16(0, kHalf).put(2, {0x9f}).decode();
  EXPECT_EQ(x[0], 3.5f);   // (15 - 8) / 2
  EXPECT_EQ(x[16], 0.5f);  // (9 - 8) / 2
  EXPECT_EQ(x[1], -4.0f);
  x = Block(GgmlType::kQ4_1).f16(0, kHalf).f16(2, kTwo).put(4, {0x1f}).decode();
  EXPECT_EQ(x[0], 9.5f);
  EXPECT_EQ(x[16], 2.5f);
  EXPECT_EQ(x[31], 2.0f);
  // Bits 0 and 17 of the high bits; low nibbles 3 and 5.
  x = Block(GgmlType::kQ5_0).f16(0, kOne).put(2, {1, 0, 2, 0}).put(6, {0x03, 0x50}).decode();
  EXPECT_EQ(x[0], 3.0f);
  EXPECT_EQ(x[17], 5.0f);
  EXPECT_EQ(x[16], -16.0f);
  x = Block(GgmlType::kQ5_1).f16(0, kOne).f16(2, kHalf).put(4, {1}).put(8, {0x03}).decode();
  EXPECT_EQ(x[0], 19.5f);
  EXPECT_EQ(x[1], 0.5f);
  x = Block(GgmlType::kQ8_0).f16(0, kHalf).put(2, {127, 128}).decode();
  EXPECT_EQ(x[0], 63.5f);
  EXPECT_EQ(x[1], -64.0f);
  x = Block(GgmlType::kQ8_1).f16(0, kHalf).f16(2, kOne).put(4, {255}).decode();
  EXPECT_EQ(x[0], -0.5f);
  x = Block(GgmlType::kQ8_K).put(0, {0, 0, 0x80, 0x3f}).put(4 + 255, {0x81}).decode();
  EXPECT_EQ(x[255], -127.0f);
}

TEST(Dequantize, KQuants) {
  // Group 1 has scale 3 and min 2; element 17 is byte 1 of the upper 16, shift 0; element 49 is
  // the same byte, shift 2, in group 3.
  auto x = Block(GgmlType::kQ2_K)
               .f16(80, kHalf)
               .f16(82, kTwo)
               .put(1, {0x23})
               .put(3, {0x01})
               .put(16 + 17, {0x0e})
               .decode();
  EXPECT_EQ(x[17], 0.5f * 3 * 2 - 2.0f * 2);
  EXPECT_EQ(x[49], 0.5f * 3);
  EXPECT_EQ(x[16], -4.0f);
  // Group 0: 32 + 1 - 32 = 1 from low nibble 1 and high bits 2. The mask bit adds 4 to the code.
  x = Block(GgmlType::kQ3_K)
          .f16(108, kHalf)
          .put(96, {0x01})
          .put(104, {0x02})
          .put(0, {1})
          .put(32, {0x03, 0x01})
          .decode();
  EXPECT_EQ(x[0], 1.5f);   // 3 with the bit
  EXPECT_EQ(x[1], -1.5f);  // 1 - 4
  // Group 4: scale 1 + 16 * 1 in byte 8's low nibble and byte 0's top bits; min 2 + 16 * 3.
  x = Block(GgmlType::kQ4_K)
          .f16(0, kOne)
          .f16(2, kHalf)
          .put(4, {0x40})
          .put(8, {0xc0})
          .put(12, {0x21})
          .put(16 + 64, {0xf5})
          .decode();
  EXPECT_EQ(x[128], 17.0f * 5 - 0.5f * 50);
  EXPECT_EQ(x[160], 0.0f);  // Group 5 has scale and min 0.
  // Element 32 is the high nibble of byte 0 and bit 1 of high byte 0; scale 2 and min 1.
  x = Block(GgmlType::kQ5_K)
          .f16(0, kOne)
          .f16(2, kHalf)
          .put(5, {2})
          .put(9, {1})
          .put(16, {2})
          .put(48, {0x30})
          .decode();
  EXPECT_EQ(x[32], 2.0f * 19 - 0.5f);
  EXPECT_EQ(x[33], -0.5f);
  // Element 96 + 128 + 5: high nibble of ql[64 + 37], bits 6..7 of qh[32 + 5], scale 14.
  x = Block(GgmlType::kQ6_K)
          .f16(208, kHalf)
          .put(64 + 37, {0xa0})
          .put(128 + 37, {0x40})
          .put(192 + 14, {0xfe})
          .decode();
  EXPECT_EQ(x[229], 0.5f * -2 * (26 - 32));
  EXPECT_EQ(x[224], 0.5f * -2 * -32);
}

TEST(Dequantize, CodebookTypes) {
  // Point 1 of iq2_xxs is 43 8 8 8 8 8 8 8; sign pattern 1 has its eighth bit set for parity.
  auto x = Block(GgmlType::kIQ2_XXS).f16(0, kEight).put(2, {1, 0, 0, 0, 1, 0, 0, 0x30}).decode();
  EXPECT_EQ(x[0], -8.0f * 3.5f * 0.25f * 43);
  EXPECT_EQ(x[1], 8.0f * 3.5f * 0.25f * 8);
  EXPECT_EQ(x[7], -8.0f * 3.5f * 0.25f * 8);
  EXPECT_EQ(x[15], 8.0f * 3.5f * 0.25f * 8);
  x = Block(GgmlType::kIQ2_XS).f16(0, kEight).put(2, {1, 2}).put(66, {0x10}).decode();
  EXPECT_EQ(x[0], -8.0f * 0.125f * 43);
  EXPECT_EQ(x[16], 8.0f * 1.5f * 0.25f * 8);
  x = Block(GgmlType::kIQ2_S).f16(0, kEight).put(2, {1}).put(34, {0x80}).decode();
  EXPECT_EQ(x[0], 43.0f);
  EXPECT_EQ(x[7], -8.0f);
  // Point 1 of iq3_xxs is 20 4 4 4.
  x = Block(GgmlType::kIQ3_XXS).f16(0, kEight).put(2, {1}).put(66, {0x02}).decode();
  EXPECT_EQ(x[0], 8.0f * 0.25f * 20);
  EXPECT_EQ(x[1], -8.0f * 0.25f * 4);
  x = Block(GgmlType::kIQ3_S).f16(0, kHalf).put(74, {0x10}).put(106, {0x02}).decode();
  EXPECT_EQ(x[0], 0.5f * 5);
  EXPECT_EQ(x[4], -0.5f * 5);
  EXPECT_EQ(x[32], 0.5f);
  // Point 0 of iq1_s is all -1; the delta's sign and a scale of 2 * 3 + 1.
  x = Block(GgmlType::kIQ1_S).f16(0, kOne).put(34, {0x00, 0xb0}).decode();
  EXPECT_EQ(x[0], 7 * (-1 - 0.125f));
  EXPECT_EQ(x[32], -1 + 0.125f);
  // The f16 scale 0x3c00 is spread over the top nibbles of four words.
  x = Block(GgmlType::kIQ1_M)
          .put(32, {0x80})
          .put(48, {2, 0x00, 0, 0x00, 0, 0xc0, 0, 0x30})
          .decode();
  EXPECT_EQ(x[0], 5 * (-1 + 0.125f));
  EXPECT_EQ(x[8], 5 * (-1 - 0.125f));
  EXPECT_EQ(x[16], -1 + 0.125f);
  x = Block(GgmlType::kIQ4_NL).f16(0, kHalf).put(2, {0x8f}).decode();
  EXPECT_EQ(x[0], 56.5f);
  EXPECT_EQ(x[16], 0.5f);
  EXPECT_EQ(x[1], -63.5f);
  // Group 1: low nibble 3, high bits 2: 35 - 32.
  x = Block(GgmlType::kIQ4_XS).f16(0, kHalf).put(2, {0x08}).put(4, {0x30}).put(24, {0xf0}).decode();
  EXPECT_EQ(x[32], 1.5f * -127);
  EXPECT_EQ(x[48], 1.5f * 113);
}

TEST(Dequantize, TernaryFp4AndBinaryTypes) {
  // 2 1 0 1 2 in base 3 is 194; stored as ceil(194 * 256 / 243) = 205.
  auto x = Block(GgmlType::kTQ1_0).f16(52, kTwo).put(0, {205}).put(48, {255}).decode();
  EXPECT_EQ(x[0], 2.0f);
  EXPECT_EQ(x[32], 0.0f);
  EXPECT_EQ(x[64], -2.0f);
  EXPECT_EQ(x[96], 0.0f);
  EXPECT_EQ(x[128], 2.0f);
  EXPECT_EQ(x[240], 2.0f);
  x = Block(GgmlType::kTQ2_0).f16(64, kTwo).put(33, {0xe4}).decode();
  EXPECT_EQ(x[129], -2.0f);
  EXPECT_EQ(x[161], 0.0f);
  EXPECT_EQ(x[193], 2.0f);
  EXPECT_EQ(x[225], 4.0f);
  x = Block(GgmlType::kMXFP4).put(0, {128, 0x97}).decode();
  EXPECT_EQ(x[0], 12.0f);   // 6 * 2^1
  EXPECT_EQ(x[16], -1.0f);  // -0.5 * 2^1
  EXPECT_EQ(Block(GgmlType::kMXFP4).put(0, {0, 0x01}).decode()[0], 0x1p-128f);
  EXPECT_EQ(Block(GgmlType::kMXFP4).put(0, {1, 0x01}).decode()[0], 0x1p-127f);
  // Group 1 has the scale 1.5 (0x3c); group 2 the least (2^-9), group 3 the unused code 127.
  x = Block(GgmlType::kNVFP4)
          .put(1, {0x3c, 0x01, 0x7f})
          .put(12, {0xf7})
          .put(20, {0x02})
          .put(28, {0x77})
          .decode();
  EXPECT_EQ(x[16], 9.0f);
  EXPECT_EQ(x[24], -9.0f);
  EXPECT_EQ(x[32], 0x1p-9f);
  EXPECT_EQ(x[48], 0.0f);
  x = Block(GgmlType::kQ1_0).f16(0, kTwo).put(3, {0x02}).decode();
  EXPECT_EQ(x[8], -2.0f);
  EXPECT_EQ(x[9], 2.0f);
  x = Block(GgmlType::kQ2_0).f16(0, kTwo).put(2, {0xe4}).decode();
  EXPECT_EQ(x[0], -2.0f);
  EXPECT_EQ(x[1], 0.0f);
  EXPECT_EQ(x[2], 2.0f);
  EXPECT_EQ(x[3], 4.0f);
}

TEST(Dequantize, ScalesThatAreNotFinite) {
  for (const float value : Block(GgmlType::kQ4_0).f16(0, 0x7e01).decode()) {
    EXPECT_TRUE(std::isnan(value));
  }
  const auto x = Block(GgmlType::kQ4_0).f16(0, 0xfc00).put(2, {0x80}).decode();
  EXPECT_EQ(x[0], kInfinity);                                                   // -8 * -inf
  EXPECT_TRUE(std::isnan(x[16]));                                               // 0 * -inf
  EXPECT_EQ(Block(GgmlType::kQ4_0).f16(0, 0x0001).decode()[0], -8 * 0x1p-24f);  // Subnormal.
}

template <class T>
std::vector<float> decode_plain(GgmlType type, std::initializer_list<T> numbers) {
  const std::vector<T> stored(numbers);
  std::vector<float> values(stored.size());
  EXPECT_TRUE(dequantize_ggml(type, std::as_bytes(std::span(stored)), values));
  return values;
}

TEST(Dequantize, PlainTypes) {
  EXPECT_EQ(decode_plain<int8_t>(GgmlType::kI8, {-128, 7}), (std::vector<float>{-128, 7}));
  EXPECT_EQ(decode_plain<int16_t>(GgmlType::kI16, {-32768}), (std::vector<float>{-32768}));
  EXPECT_EQ(decode_plain<int32_t>(GgmlType::kI32, {16777217}), (std::vector<float>{16777216}));
  EXPECT_EQ(decode_plain<int64_t>(GgmlType::kI64, {int64_t{1} << 62}),
            (std::vector<float>{0x1p62f}));
  EXPECT_EQ(decode_plain<double>(GgmlType::kF64, {1e300, 0.1}),
            (std::vector<float>{kInfinity, 0.1f}));
  EXPECT_EQ(decode_plain<float>(GgmlType::kF32, {0.1f}), (std::vector<float>{0.1f}));
  EXPECT_EQ(decode_plain<uint16_t>(GgmlType::kBF16, {0x3fc0}), (std::vector<float>{1.5f}));
  EXPECT_EQ(decode_plain<uint16_t>(GgmlType::kF16, {0x0001, 0x83ff, 0x7bff, 0xfc00}),
            (std::vector<float>{0x1p-24f, -1023 * 0x1p-24f, 65504, -kInfinity}));
}

TEST(Dequantize, RefusesUnknownTypesAndSizesThatLie) {
  std::vector<std::byte> bytes(144);
  std::vector<float> values(256);
  EXPECT_EQ(dequantize_ggml(GgmlType::kNone, bytes, values).error().code, ErrorCode::kUnsupported);
  EXPECT_EQ(dequantize_ggml(static_cast<GgmlType>(4), bytes, values).error().code,
            ErrorCode::kUnsupported);
  EXPECT_TRUE(dequantize_ggml(GgmlType::kQ4_K, bytes, values));
  const auto check = [&](size_t num_bytes, size_t num_values) {
    const Status status = dequantize_ggml(GgmlType::kQ4_K, std::span(bytes).first(num_bytes),
                                          std::span(values).first(num_values));
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().code, ErrorCode::kInvalidArgument);
    EXPECT_NE(status.error().message.find("q4_k"), std::string::npos) << status.error().message;
  };
  check(143, 256);
  check(144, 255);
  check(0, 256);
  check(144, 0);
  EXPECT_TRUE(dequantize_ggml(GgmlType::kQ4_K, {}, {}));
}

/// FNV-1a over 32-bit words.
class Hash {
 public:
  void add(uint32_t word) { state_ = (state_ ^ word) * 0x100000001b3; }
  std::string text() const { return fmt::format("{:016x}", state_); }

 private:
  uint64_t state_ = 0xcbf29ce484222325;
};

constexpr size_t kGoldenBlocks = 512;

/// The hash of the values that random bytes decode to; every NaN counts as 0x7fc00000.
std::string decoded_hash(const GgmlTypeTraits& row) {
  const Philox random(20, static_cast<uint64_t>(row.type));
  std::vector<std::byte> blocks(kGoldenBlocks * row.block_bytes);
  for (size_t i = 0; i < blocks.size(); ++i) {
    blocks[i] = static_cast<std::byte>(random.bits64(i / 8) >> (i % 8 * 8));
  }
  std::vector<float> values(kGoldenBlocks * row.block_elements);
  EXPECT_TRUE(dequantize_ggml(row.type, blocks, values));
  Hash hash;
  for (const float x : values) hash.add(std::isnan(x) ? 0x7fc00000 : std::bit_cast<uint32_t>(x));
  return hash.text();
}

/// The hash of the blocks that uniform numbers of [-1, 1) are encoded as.
std::string encoded_hash(const GgmlTypeTraits& row) {
  const Philox random(21, static_cast<uint64_t>(row.type));
  std::vector<float> values(kGoldenBlocks * row.block_elements);
  for (size_t i = 0; i < values.size(); ++i) {
    values[i] =
        static_cast<float>(static_cast<int64_t>(random.bits64(i) >> 40) - (1 << 23)) * 0x1p-23f;
  }
  std::vector<std::byte> blocks(kGoldenBlocks * row.block_bytes);
  EXPECT_TRUE(quantize_ggml(row.type, values, row.block_elements, {}, blocks));
  Hash hash;
  for (const std::byte byte : blocks) hash.add(static_cast<uint32_t>(byte));
  return hash.text();
}

// tests/oracle/ggml_codecs.py makes and checks the file with the PyPI package gguf: all hashes of
// decoding, and those of encoders that follow ggml to the bit. The other encoders' hashes show that
// they give the same blocks on every machine.
TEST(Golden, HashesOfDecodingAndEncoding) {
  std::ifstream file(ANYBIT_SOURCE_DIR "/tests/oracle/ggml_codec_golden.txt");
  ASSERT_TRUE(file);
  std::string name, decoded, encoded;
  size_t num_rows = 0;
  while (file >> name >> decoded >> encoded) {
    const GgmlTypeTraits* row = find_ggml_type(name);
    ASSERT_NE(row, nullptr) << name;
    EXPECT_EQ(decoded_hash(*row), decoded) << name;
    EXPECT_EQ(row->can_quantize ? encoded_hash(*row) : "-", encoded) << name;
    ++num_rows;
  }
  EXPECT_EQ(num_rows, 27u);
}

}  // namespace
}  // namespace anybit::numeric
