#include "anybit/kernel/matmul/weight_only_pack.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "anybit/kernel/matmul/random_weight.h"

namespace anybit::kernel {
namespace {

bool equal_bytes(const Buffer& a, const Buffer& b) {
  return std::equal(a.bytes().begin(), a.bytes().end(), b.bytes().begin(), b.bytes().end());
}

TEST(WeightOnlyPack, comes_back_bit_for_bit_for_every_width_tile_and_odd_shape) {
  const char* const schemes[] = {
      "binary_g16",  "uint2_g32_asym", "int3_g64",        "e2m1_g16_se4m3_ts", "uint4_channel_asym",
      "int5_tensor", "e3m2_channel",   "codebook4_g32",   "uint7_g128_asym",   "int8_b128x128",
      "ternary_g64", "posit5_1_g32",   "uint1_g128_asym", "bipolar4_g64",      "e4m3_g32_se8m0"};
  int packed_schemes = 0;
  for (const char* name : schemes) {
    const auto scheme = numeric::parse_scheme(name);
    ASSERT_TRUE(scheme.has_value()) << name;
    for (const int64_t rows : {16, 32, 64, 128}) {
      for (const auto& [n, k] : {std::pair<int64_t, int64_t>{67, 200}, {1, 16}, {129, 77}}) {
        SCOPED_TRACE(fmt::format("{} rows={} n={} k={}", name, rows, n, k));
        const auto weight = random_weight(*scheme, n, k, 3);
        ASSERT_TRUE(weight.has_value()) << weight.error().message;
        const auto format = weight_only_format(*scheme, k, numeric::kF16, numeric::kF16, false);
        ASSERT_TRUE(format.has_value()) << format.error().message;
        const auto packed =
            pack_weight_only(*weight, *format, weight_tile(*format, rows), Threads{2});
        ASSERT_TRUE(packed.has_value()) << packed.error().message;
        EXPECT_TRUE(equal_bytes(unpack_weight_only_codes(*packed, Threads{2}), weight->codes));
        EXPECT_TRUE(equal_bytes(unpack_weight_only_scales(*packed, *scheme), weight->scales));
        if (format->has_zero_point) {
          EXPECT_TRUE(
              equal_bytes(unpack_weight_only_zero_points(*packed, *scheme), weight->zero_points));
        }
        ++packed_schemes;
      }
    }
  }
  EXPECT_EQ(packed_schemes, 15 * 4 * 3);
}

TEST(WeightOnlyPack, values_of_a_row_are_those_of_the_tensor) {
  for (const char* name : {"uint4_g32_asym", "nvfp4", "e5m2_channel", "codebook3_g64"}) {
    const auto scheme = numeric::parse_scheme(name);
    const auto weight = random_weight(*scheme, 37, 160, 4);
    const auto format = weight_only_format(*scheme, 160, numeric::kF16, numeric::kF16, false);
    const auto packed = pack_weight_only(*weight, *format, weight_tile(*format, 32), {});
    ASSERT_TRUE(packed.has_value()) << packed.error().message;
    const auto expected = tensor::dequantize(*weight);
    for (const int64_t row : {0, 9, 36}) {
      const std::vector<double> values = packed_row_values(*packed, row);
      for (int64_t j = 0; j < 160; ++j) {
        EXPECT_FLOAT_EQ(static_cast<float>(values[j]), (*expected)[row * 160 + j]) << name;
      }
    }
  }
}

TEST(WeightOnlyPack, every_place_of_a_tile_is_used_once) {
  for (const int bits : {1, 2, 3, 4, 5, 6, 7, 8}) {
    WeightOnlyFormat format;
    format.element = numeric::int_format(bits);
    const WeightTile tile = weight_tile(format, 64);
    EXPECT_EQ(tile.rows * tile.depth, 4096);
    EXPECT_EQ(tile_byte_layout(format, tile).size(), tile_bytes(format, tile));
    std::vector<int64_t> order = tile_depth_order(tile);
    std::sort(order.begin(), order.end());
    for (int64_t i = 0; i < tile.depth; ++i) EXPECT_EQ(order[i], i);
    std::vector<int64_t> rows = tile_scale_order(tile);
    std::sort(rows.begin(), rows.end());
    for (int64_t i = 0; i < tile.rows; ++i) EXPECT_EQ(rows[i], i);
  }
}

TEST(WeightOnlyPack, refuses_what_it_does_not_know) {
  const auto q4_0 = numeric::parse_scheme("q4_0");
  EXPECT_EQ(weight_only_format(*q4_0, 64, numeric::kF16, numeric::kF16, false).error().code,
            ErrorCode::kUnsupported);
  const auto weight = random_weight(*numeric::parse_scheme("int4_g32"), 16, 64, 1);
  const WeightOnlyFormat other{numeric::int_format(4), 64};
  const auto packed = pack_weight_only(*weight, other, weight_tile(other, 16), {});
  EXPECT_EQ(packed.error().code, ErrorCode::kUnsupported);
}

}  // namespace
}  // namespace anybit::kernel
