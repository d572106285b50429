#include "anybit/numeric/ggml/affine_groups.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <string>

#include "anybit/base/philox.h"
#include "anybit/numeric/ggml/block_codec.h"

namespace anybit::numeric {
namespace {

std::vector<std::byte> random_bytes(uint64_t stream, size_t count) {
  const Philox random(11, stream);
  std::vector<std::byte> bytes(count);
  for (size_t i = 0; i < count; ++i) bytes[i] = static_cast<std::byte>(random.bits64(i) >> 56);
  return bytes;
}

TEST(AffineGroups, EveryBlockTypeHasAFormat) {
  for (const GgmlTypeTraits& row : ggml_types()) {
    const GroupFormat* format = find_group_format(row.type);
    ASSERT_EQ(format != nullptr, row.is_block_quantized) << row.name;
    if (format == nullptr) continue;
    EXPECT_EQ(format->type, row.type);
    EXPECT_TRUE(format->group_size == 16 || format->group_size == 32) << row.name;
    EXPECT_EQ(format->super_size % format->group_size, 0) << row.name;
    EXPECT_EQ(row.block_elements % format->super_size, 0) << row.name;
    EXPECT_LE(format->lut.size(), size_t{1} << format->code_bits) << row.name;
    EXPECT_GT(format->lut.size(), size_t{1} << (format->code_bits - 1)) << row.name;
    for (size_t code = 0; format->is_linear && code < format->lut.size(); ++code) {
      EXPECT_EQ(format->lut[code], static_cast<int>(code) - format->offset) << row.name;
    }
  }
  EXPECT_EQ(find_group_format(GgmlType::kNone), nullptr);
}

// Random bytes, so scales are also subnormal, infinite and NaN. Equal in every bit: both round only
// the product and, for types with a min, the sum.
TEST(AffineGroups, ValuesAreThoseOfDequantize) {
  for (const GgmlTypeTraits& row : ggml_types()) {
    if (!row.is_block_quantized) continue;
    constexpr size_t kBlocks = 300;
    const auto blocks = random_bytes(static_cast<uint64_t>(row.type), kBlocks * row.block_bytes);
    std::vector<float> expected(kBlocks * row.block_elements);
    ASSERT_TRUE(dequantize_ggml(row.type, blocks, expected)) << row.name;
    const auto groups = to_lut_groups(row.type, blocks);
    ASSERT_TRUE(groups) << row.name;
    for (size_t i = 0; i < expected.size(); ++i) {
      ASSERT_LT(groups->codes[i], groups->format.lut.size()) << row.name;
      const auto group = static_cast<int64_t>(i) / groups->format.group_size;
      const float value =
          groups->scale(group) * static_cast<float>(groups->format.lut[groups->codes[i]]) +
          groups->min(group);
      if (std::isnan(expected[i])) {
        ASSERT_TRUE(std::isnan(value)) << row.name << " element " << i;
      } else {
        ASSERT_EQ(std::bit_cast<uint32_t>(value), std::bit_cast<uint32_t>(expected[i]))
            << row.name << " element " << i << ": " << value << ", not " << expected[i];
      }
    }
  }
}

// The claim that scales and mins are exact in f32: the product of the parts in double is the same.
TEST(AffineGroups, ScalesAreExact) {
  for (const GgmlTypeTraits& row : ggml_types()) {
    if (!row.is_block_quantized || row.type == GgmlType::kQ8_K) continue;  // An f32 of its own.
    const auto groups = to_lut_groups(row.type, random_bytes(5, size_t{200} * row.block_bytes));
    ASSERT_TRUE(groups);
    const int64_t groups_per_super = groups->format.super_size / groups->format.group_size;
    for (int64_t g = 0; g < groups->num_groups(); ++g) {
      const double super = groups->super_scales[g / groups_per_super];
      if (!std::isfinite(super)) continue;
      EXPECT_EQ(groups->scale(g), super * groups->sub_scales[g]) << row.name;
    }
  }
}

TEST(AffineGroups, RefusesPlainTypesAndWrongSizes) {
  EXPECT_EQ(to_lut_groups(GgmlType::kF16, {}).error().code, ErrorCode::kUnsupported);
  EXPECT_EQ(to_lut_groups(GgmlType::kNone, {}).error().code, ErrorCode::kUnsupported);
  const auto bytes = random_bytes(1, 145);
  EXPECT_EQ(to_lut_groups(GgmlType::kQ4_K, bytes).error().code, ErrorCode::kInvalidArgument);
  LutGroups groups = *to_lut_groups(GgmlType::kQ4_K, std::span(bytes).first(144));
  EXPECT_EQ(groups.codes.size(), 256u);
  EXPECT_EQ(groups.num_groups(), 8);
  const auto unpack = [&] {
    return unpack_groups(
        GgmlType::kQ4_K, std::span(bytes).first(144),
        {groups.codes, groups.super_scales, groups.super_mins, groups.sub_scales, groups.sub_mins});
  };
  EXPECT_TRUE(unpack());
  groups.sub_mins.pop_back();
  EXPECT_EQ(unpack().error().code, ErrorCode::kInvalidArgument);
}

TEST(AffineGroups, EmptyInputGivesNothing) {
  const auto groups = to_lut_groups(GgmlType::kIQ1_M, {});
  ASSERT_TRUE(groups);
  EXPECT_TRUE(groups->codes.empty());
  EXPECT_EQ(groups->num_groups(), 0);
}

}  // namespace
}  // namespace anybit::numeric
