#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "anybit/base/philox.h"
#include "anybit/numeric/ggml/block_codec.h"

namespace anybit::numeric {
namespace {

struct Encoded {
  std::vector<std::byte> blocks;
  std::vector<float> values;
};

Encoded encode(const GgmlTypeTraits& row, const std::vector<float>& values,
               const std::vector<float>& importance = {}) {
  Encoded encoded{std::vector<std::byte>(values.size() / row.block_elements * row.block_bytes),
                  std::vector<float>(values.size())};
  const auto row_size =
      static_cast<int64_t>(importance.empty() ? values.size() : importance.size());
  EXPECT_TRUE(quantize_ggml(row.type, values, row_size, importance, encoded.blocks)) << row.name;
  EXPECT_TRUE(dequantize_ggml(row.type, encoded.blocks, encoded.values)) << row.name;
  return encoded;
}

std::vector<float> normals(size_t count, uint64_t seed) {
  const Philox random(seed);
  std::vector<float> values(count);
  for (size_t i = 0; i < count; ++i) values[i] = static_cast<float>(random.normal(i));
  return values;
}

std::vector<GgmlTypeTraits> encodable() {
  std::vector<GgmlTypeTraits> rows;
  for (const GgmlTypeTraits& row : ggml_types()) {
    if (row.can_quantize && row.is_block_quantized) rows.push_back(row);
  }
  return rows;
}

double weighted_error(const std::vector<float>& a, const std::vector<float>& b,
                      const std::vector<float>& weights) {
  double error = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    const double difference = double{a[i]} - b[i];
    error += (weights.empty() ? 1 : weights[i % weights.size()]) * difference * difference;
  }
  return error / static_cast<double>(a.size());
}

/// Mean squared error of the nearest of `num_codes` equally spaced values from the least to the
/// largest of each group (symmetric: from the extreme, as the most negative code), with f32 scales.
double plain_error(const std::vector<float>& values, size_t group_size, int num_codes,
                   bool symmetric) {
  double error = 0;
  for (size_t first = 0; first < values.size(); first += group_size) {
    const std::span<const float> group(&values[first], group_size);
    const auto [least, most] = std::minmax_element(group.begin(), group.end());
    const float extreme = std::fabs(*least) > std::fabs(*most) ? *least : *most;
    const double low = symmetric ? -num_codes / 2 : 0;
    const double scale = symmetric ? extreme / low : (*most - *least) / double(num_codes - 1);
    const double min = symmetric ? 0 : *least;
    for (const float x : group) {
      const double code = std::clamp(std::nearbyint((x - min) / scale), low, low + num_codes - 1);
      error += std::pow(code * scale + min - x, 2);
    }
  }
  return error / static_cast<double>(values.size());
}

// What the search of the scales gains is more than what their rounding to 4 ... 8 bits loses.
TEST(Quantize, SearchedTypesBeatPlainRoundingWithExactScales) {
  const std::vector<float> values = normals(size_t{512} * 256, 1);
  const auto error = [&](GgmlType type) {
    return weighted_error(encode(*find_ggml_type(type), values).values, values, {});
  };
  EXPECT_LT(error(GgmlType::kQ2_K), plain_error(values, 16, 4, false));
  EXPECT_LT(error(GgmlType::kQ3_K), plain_error(values, 16, 8, true));
  EXPECT_LT(error(GgmlType::kQ4_K), plain_error(values, 32, 16, false));
  EXPECT_LT(error(GgmlType::kQ5_K), plain_error(values, 32, 32, false));
  EXPECT_LT(error(GgmlType::kQ6_K), plain_error(values, 16, 64, true));
  EXPECT_LT(error(GgmlType::kIQ4_NL), plain_error(values, 32, 16, true));
  EXPECT_LT(error(GgmlType::kIQ4_XS), plain_error(values, 32, 16, true));
}

// With plain rules, what has been stored once is stored again without change: the extreme is a
// whole number of scales.
TEST(Quantize, PlainRulesAreIdempotent) {
  const std::vector<float> values = normals(size_t{64} * 256, 2);
  using enum GgmlType;
  for (const GgmlType type : {kQ4_0, kQ5_0, kQ8_0, kTQ1_0, kTQ2_0, kMXFP4, kNVFP4, kQ1_0, kQ2_0}) {
    const GgmlTypeTraits& row = *find_ggml_type(type);
    const std::vector<float> once = encode(row, values).values;
    EXPECT_EQ(encode(row, once).values, once) << row.name;
  }
}

TEST(Quantize, ZerosStayZeros) {
  for (const GgmlTypeTraits& row : encodable()) {
    for (const float x : encode(row, std::vector<float>(512)).values) ASSERT_EQ(x, 0) << row.name;
    const std::vector<float> importance(256, 1);
    for (const float x : encode(row, std::vector<float>(512), importance).values) {
      ASSERT_EQ(x, 0) << row.name;
    }
  }
}

// Whatever the magnitudes, what is stored decodes to finite numbers of no larger magnitude than
// three times the largest value (negative codes reach further than positive ones).
TEST(Quantize, ExtremeMagnitudesGiveFiniteValues) {
  for (const GgmlTypeTraits& row : encodable()) {
    for (const float magnitude : {1e-45f, 1e-38f, 1e-8f, 1e-6f, 3e4f, 1e6f, 1e20f, 3.4e38f}) {
      for (const float weight : {0.0f, 1e-38f, 1.0f, 3e38f}) {
        std::vector<float> values = normals(512, 3);
        const float amax =
            std::fabs(*std::max_element(values.begin(), values.end(), [](float a, float b) {
              return std::fabs(a) < std::fabs(b);
            }));
        for (float& x : values) x = x / amax * magnitude;
        std::vector<float> importance(256, weight);
        if (weight == 1) importance[3] = 0;
        for (const float x : encode(row, values, importance).values) {
          ASSERT_TRUE(std::isfinite(x)) << row.name << " " << magnitude << " " << weight;
          ASSERT_LE(std::fabs(x), 3 * double{magnitude} + 1e-5) << row.name << " " << magnitude;
        }
        for (const float x : encode(row, values).values) {
          ASSERT_TRUE(std::isfinite(x)) << row.name << " " << magnitude;
        }
      }
    }
  }
}

// Multiplying the input by a power of two multiplies the output, while scales stay normal in f16.
TEST(Quantize, IsScaleFree) {
  const std::vector<float> values = normals(2048, 4);
  std::vector<float> larger = values;
  for (float& x : larger) x *= 16;
  for (const GgmlTypeTraits& row : encodable()) {
    if (row.type == GgmlType::kNVFP4) continue;  // Its ue4m3 scales reach subnormals.
    const std::vector<float> small = encode(row, values).values, big = encode(row, larger).values;
    for (size_t i = 0; i < small.size(); ++i) {
      // Sub-scales of Q2_K ... Q6_K divide by up to 2^12: still above f16's subnormals here.
      ASSERT_NEAR(big[i], 16 * small[i], 0x1p-9f * std::fabs(big[i]) + 0x1p-10f)
          << row.name << " " << i;
    }
  }
}

TEST(Quantize, ImportanceLowersTheWeightedError) {
  const std::vector<float> values = normals(size_t{64} * 256, 5);
  std::vector<float> importance = normals(256, 6);
  for (float& x : importance) x = std::exp(2 * x);
  for (const GgmlTypeTraits& row : encodable()) {
    const double plain = weighted_error(encode(row, values).values, values, importance);
    const double weighted =
        weighted_error(encode(row, values, importance).values, values, importance);
    if (row.type == GgmlType::kQ8_0) {
      EXPECT_EQ(weighted, plain);
    } else {
      EXPECT_LT(weighted, plain) << row.name;
    }
  }
}

TEST(Quantize, EachRowMeetsTheSameImportance) {
  const std::vector<float> row_values = normals(512, 8);
  std::vector<float> twice = row_values;
  twice.insert(twice.end(), row_values.begin(), row_values.end());
  std::vector<float> importance(512, 1);
  for (size_t i = 0; i < importance.size(); ++i) importance[i] = static_cast<float>(i % 7);
  for (const GgmlTypeTraits& row : encodable()) {
    const std::vector<std::byte> blocks = encode(row, twice, importance).blocks;
    const auto half = static_cast<ptrdiff_t>(blocks.size() / 2);
    EXPECT_TRUE(std::equal(blocks.begin(), blocks.begin() + half, blocks.begin() + half))
        << row.name;
  }
}

TEST(Quantize, PlainTypes) {
  const std::vector<float> values = {1.0f + 0x1p-11f, 65520.0f, -0.0f, 0x1p-25f};
  const auto decode = [&](GgmlType type) { return encode(*find_ggml_type(type), values).values; };
  EXPECT_EQ(decode(GgmlType::kF32), values);
  EXPECT_EQ(decode(GgmlType::kF64), values);
  EXPECT_EQ(decode(GgmlType::kF16),
            (std::vector<float>{1, std::numeric_limits<float>::infinity(), -0.0f, 0}));
  EXPECT_EQ(decode(GgmlType::kBF16), (std::vector<float>{1, 65536, -0.0f, 0x1p-25f}));
}

TEST(Quantize, RefusesWhatItCannotDo) {
  std::vector<float> values(512, 1.0f);
  std::vector<std::byte> blocks(288);
  const auto code_of = [&](GgmlType type, int64_t row_size, std::span<const float> importance) {
    const Status status = quantize_ggml(type, values, row_size, importance, blocks);
    return status ? ErrorCode::kIo : status.error().code;  // kIo: it did it.
  };
  using enum GgmlType;
  EXPECT_EQ(code_of(kQ4_K, 512, {}), ErrorCode::kIo);
  EXPECT_EQ(code_of(kIQ2_XXS, 512, {}), ErrorCode::kUnsupported);
  EXPECT_EQ(code_of(kQ8_1, 512, {}), ErrorCode::kUnsupported);
  EXPECT_EQ(code_of(kI8, 512, {}), ErrorCode::kUnsupported);
  EXPECT_EQ(code_of(kNone, 512, {}), ErrorCode::kUnsupported);
  for (const int64_t row_size : {0, -256, 100, 300, 768}) {
    EXPECT_EQ(code_of(kQ4_K, row_size, {}), ErrorCode::kInvalidArgument) << row_size;
  }
  EXPECT_EQ(code_of(kQ5_K, 512, {}), ErrorCode::kInvalidArgument);  // Too few bytes.
  std::vector<float> importance(511, 1.0f);
  EXPECT_EQ(code_of(kQ4_K, 512, importance), ErrorCode::kInvalidArgument);
  importance.push_back(-1);
  EXPECT_EQ(code_of(kQ4_K, 512, importance), ErrorCode::kInvalidArgument);
  importance.back() = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(code_of(kQ4_K, 512, importance), ErrorCode::kInvalidArgument);
}

TEST(Quantize, RefusesNumbersThatAreNotFinite) {
  for (const GgmlTypeTraits& row : encodable()) {
    for (const float bad :
         {std::numeric_limits<float>::quiet_NaN(), -std::numeric_limits<float>::infinity()}) {
      std::vector<float> values(256, 1.0f);
      values[77] = bad;
      std::vector<std::byte> blocks(values.size() / row.block_elements * row.block_bytes);
      const Status status = quantize_ggml(row.type, values, 256, {}, blocks);
      ASSERT_FALSE(status) << row.name;
      EXPECT_EQ(status.error().code, ErrorCode::kInvalidArgument);
      EXPECT_NE(status.error().message.find("77"), std::string::npos) << status.error().message;
    }
  }
}

}  // namespace
}  // namespace anybit::numeric
