#include "anybit/kernel/kv_cache/kv_cache.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "anybit/base/philox.h"
#include "anybit/kernel/kv_cache/internal/kv_rows.h"

namespace anybit::kernel {
namespace {

constexpr KvElement kAll[] = {KvElement::kF32, KvElement::kF16, KvElement::kBf16, KvElement::kInt8,
                              KvElement::kInt4};

std::vector<float> normals(int64_t count, uint64_t seed) {
  std::vector<float> x(count);
  for (int64_t i = 0; i < count; ++i) x[i] = static_cast<float>(Philox(seed).normal(i));
  return x;
}

/// The largest error of storing x[index], a part of the row x [head_dim].
double storage_error(KvElement element, std::span<const float> row, int64_t index) {
  switch (element) {
    case KvElement::kF32: return 0;
    case KvElement::kF16: return std::max(0x1p-11 * std::abs(row[index]), 0x1p-25);
    case KvElement::kBf16: return 0x1p-8 * std::abs(row[index]);
    case KvElement::kInt8: {
      double amax = 0;
      for (const float v : row) amax = std::max(amax, std::abs(double{v}));
      return amax / 127 *
             (0.5 + 127 * 0x1p-22);  // Half a step, and the roundings of scale and 1 / it.
    }
    case KvElement::kInt4: {
      const int64_t first = index / kKvGroupSize * kKvGroupSize;
      double amax = 0;
      for (int64_t i = first; i < std::min<int64_t>(first + kKvGroupSize, std::ssize(row)); ++i) {
        amax = std::max(amax, std::abs(double{row[i]}));
      }
      // Codes reach 8 steps on the side of the extreme and 7 on the other: up to a step is cut off.
      return amax / 8 * (1 + 8 * 0x1p-10);
    }
  }
  return 0;
}

TEST(KvCache, StoresEveryElementWithinItsStep) {
  for (const KvElement element : kAll) {
    for (const int64_t head_dim : {1, 7, 32, 40, 64, 80, 128}) {
      constexpr int64_t kHeads = 3, kTokens = 5;
      Result<KvLayer> layer = KvLayer::create(
          {.num_kv_heads = kHeads, .head_dim = head_dim, .capacity = 8, .element = element});
      ASSERT_TRUE(layer) << layer.error().message;
      const int64_t stride = kHeads * head_dim + 3;
      const std::vector<float> keys = normals(kTokens * stride, 1);
      const std::vector<float> values = normals(kTokens * stride, 2);
      ASSERT_TRUE(layer->append(keys.data(), values.data(), 2, stride));
      ASSERT_TRUE(layer->append(keys.data() + 2 * stride, values.data() + 2 * stride, 3, stride));
      EXPECT_EQ(layer->length(), kTokens);
      std::vector<float> key(head_dim), value(head_dim);
      for (int64_t token = 0; token < kTokens; ++token) {
        for (int64_t head = 0; head < kHeads; ++head) {
          layer->decode_key(head, token, key);
          layer->decode_value(head, token, value);
          const std::span<const float> source(keys.data() + token * stride + head * head_dim,
                                              head_dim);
          const std::span<const float> value_source(
              values.data() + token * stride + head * head_dim, head_dim);
          for (int64_t i = 0; i < head_dim; ++i) {
            ASSERT_NEAR(key[i], source[i], storage_error(element, source, i))
                << name(element) << " head_dim " << head_dim;
            ASSERT_NEAR(value[i], value_source[i], storage_error(element, value_source, i))
                << name(element) << " head_dim " << head_dim;
          }
        }
      }
    }
  }
}

TEST(KvCache, CountsItsBytes) {
  const auto bytes = [](KvElement element, int64_t head_dim) {
    return KvLayer::create(
               {.num_kv_heads = 2, .head_dim = head_dim, .capacity = 10, .element = element})
        ->size_bytes();
  };
  // 2 planes of 2 heads of 10 tokens: 40 rows.
  EXPECT_EQ(bytes(KvElement::kF32, 64), 40 * 256);
  EXPECT_EQ(bytes(KvElement::kF16, 64), 40 * 128);
  EXPECT_EQ(bytes(KvElement::kBf16, 64), 40 * 128);
  EXPECT_EQ(bytes(KvElement::kInt8, 64), 40 * (64 + 4));
  EXPECT_EQ(bytes(KvElement::kInt4, 64), 40 * (32 + 2 * 2));
  EXPECT_EQ(bytes(KvElement::kInt4, 80), 40 * (40 + 3 * 2));
}

TEST(KvCache, RefusesMoreThanItsCapacityAndStoresNothing) {
  Result<KvLayer> layer = KvLayer::create(
      {.num_kv_heads = 1, .head_dim = 4, .capacity = 3, .element = KvElement::kF32});
  const std::vector<float> x(16, 1.0f);
  ASSERT_TRUE(layer->append(x.data(), x.data(), 2, 4));
  const Status status = layer->append(x.data(), x.data(), 2, 4);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, ErrorCode::kOutOfMemory);
  EXPECT_EQ(status.error().message, "KV cache: 2 tokens after 2 exceed the capacity of 3 tokens");
  EXPECT_EQ(layer->length(), 2);
  EXPECT_TRUE(layer->append(x.data(), x.data(), 1, 4));
}

TEST(KvCache, TruncateForgetsTheLastTokens) {
  Result<KvCache> cache = KvCache::create(
      2, {.num_kv_heads = 1, .head_dim = 2, .capacity = 4, .element = KvElement::kF32});
  ASSERT_TRUE(cache);
  EXPECT_EQ(cache->num_layers(), 2);
  EXPECT_EQ(cache->capacity(), 4);
  EXPECT_EQ(cache->size_bytes(), 2 * 2 * 4 * 2 * 4);
  const float first[] = {1, 2, 3, 4, 5, 6}, other[] = {7, 8};
  for (int64_t i = 0; i < 2; ++i) ASSERT_TRUE(cache->layer(i).append(first, first, 3, 2));
  EXPECT_EQ(cache->length(), 3);
  cache->truncate(1);
  EXPECT_EQ(cache->length(), 1);
  ASSERT_TRUE(cache->layer(0).append(other, other, 1, 2));
  EXPECT_EQ(cache->length(), 1) << "layer 1 has no second token";
  float key[2];
  cache->layer(0).decode_key(0, 1, key);
  EXPECT_EQ(key[0], 7);
  cache->layer(0).decode_key(0, 0, key);
  EXPECT_EQ(key[0], 1);
  cache->truncate(1);
  EXPECT_EQ(cache->layer(0).length(), 1);
}

TEST(KvCache, RefusesImpossibleShapes) {
  const auto error = [](KvLayerShape shape) { return KvLayer::create(shape).error(); };
  EXPECT_EQ(error({.num_kv_heads = 0, .head_dim = 4, .capacity = 4}).message,
            "KV cache: num_kv_heads is 0, expected at least 1");
  EXPECT_EQ(error({.num_kv_heads = 1, .head_dim = -4, .capacity = 4}).code,
            ErrorCode::kInvalidArgument);
  EXPECT_EQ(error({.num_kv_heads = 1, .head_dim = 4, .capacity = 0}).code,
            ErrorCode::kInvalidArgument);
  EXPECT_EQ(error({.num_kv_heads = int64_t{1} << 40, .head_dim = 64, .capacity = 1 << 30}).code,
            ErrorCode::kOutOfMemory);
  EXPECT_FALSE(KvCache::create(0, {.num_kv_heads = 1, .head_dim = 4, .capacity = 4}));
  const Result<KvCache> cache =
      KvCache::create(2, {.num_kv_heads = 1, .head_dim = 0, .capacity = 4});
  ASSERT_FALSE(cache);
  EXPECT_EQ(cache.error().message, "layer 0: KV cache: head_dim is 0, expected at least 1");
}

TEST(KvCache, NamesParse) {
  for (const KvElement element : kAll) EXPECT_EQ(parse_kv_element(name(element)), element);
  ASSERT_FALSE(parse_kv_element("int3"));
  EXPECT_EQ(parse_kv_element("int3").error().code, ErrorCode::kNotFound);
}

/// Encodes `row` and decodes it with the reference.
std::vector<float> stored(KvElement element, const std::vector<float>& row) {
  Result<KvLayer> layer = KvLayer::create(
      {.num_kv_heads = 1, .head_dim = std::ssize(row), .capacity = 1, .element = element});
  EXPECT_TRUE(layer->append(row.data(), row.data(), 1, std::ssize(row)));
  std::vector<float> out(row.size());
  layer->decode_key(0, 0, out);
  return out;
}

TEST(KvCache, SpecialValues) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  for (const KvElement element : {KvElement::kInt8, KvElement::kInt4}) {
    for (const float bad : {kInfinity, -kInfinity, std::nanf("")}) {
      std::vector<float> row(64, 1.0f);
      row[40] = bad;
      const std::vector<float> out = stored(element, row);
      EXPECT_TRUE(std::isnan(out[40])) << name(element) << " " << bad;
      // int4's first group has its own scale.
      EXPECT_EQ(std::isnan(out[0]), element == KvElement::kInt8) << name(element) << " " << bad;
    }
    const std::vector<float> zeros(64, 0.0f), tiny(64, 1e-44f);
    EXPECT_EQ(stored(element, zeros), zeros) << name(element);
    EXPECT_EQ(stored(element, tiny), zeros) << name(element);
  }
  EXPECT_EQ(stored(KvElement::kF16, {1e6f})[0], kInfinity);
  EXPECT_EQ(stored(KvElement::kF16, {-kInfinity})[0], -kInfinity);
  EXPECT_TRUE(std::isnan(stored(KvElement::kF16, {std::nanf("")})[0]));
  EXPECT_TRUE(std::isnan(stored(KvElement::kBf16, {std::nanf("")})[0]));
  EXPECT_EQ(stored(KvElement::kInt4, {1e6f})[0], 65504.0f * 8);
  // The largest magnitude is exact in int4 if its eighth is an f16, whatever its sign.
  EXPECT_EQ(stored(KvElement::kInt4, {3, -1, 0.75f})[0], 3);
  EXPECT_EQ(stored(KvElement::kInt4, {-3, 1, 0.75f})[0], -3);
}

// All 65536 codes; floats of all exponents, with the midpoints between f16 neighbours among them.
TEST(KvRows, F16IsRoundedToNearestEven) {
  for (uint32_t bits = 0; bits < 1 << 16; ++bits) {
    const float x = internal::float_from_f16(static_cast<uint16_t>(bits));
    const int exponent = static_cast<int>(bits >> 10 & 31),
              mantissa = static_cast<int>(bits & 1023);
    if (exponent == 31) {
      ASSERT_EQ(std::isnan(x), mantissa != 0);
      ASSERT_EQ(std::isinf(x), mantissa == 0);
    } else {
      const double magnitude =
          exponent == 0 ? std::ldexp(mantissa, -24) : std::ldexp(1024 + mantissa, exponent - 25);
      ASSERT_EQ(x, bits >> 15 ? -magnitude : magnitude) << bits;
      ASSERT_EQ(internal::f16_from_float(x), bits);
      // Halfway to the next magnitude, ties to even; and a hair to both sides.
      const double step = exponent == 0 ? 0x1p-24 : std::ldexp(1.0, exponent - 25);
      const auto middle = static_cast<float>(magnitude + step / 2);
      const uint32_t lower = bits & 0x7FFF, even = lower + (lower & 1);
      ASSERT_EQ(internal::f16_from_float(middle), even) << bits;
      ASSERT_EQ(internal::f16_from_float(std::nextafter(middle, 0.0f)), lower) << bits;
      ASSERT_EQ(internal::f16_from_float(std::nextafter(middle, 1e9f)), lower + 1) << bits;
    }
  }
}

TEST(KvRows, VariantsEncodeAndDecodeTheSameBits) {
  for (const KvElement element : kAll) {
    for (const int64_t head_dim : {1, 7, 16, 40, 64, 72, 80, 96, 128, 256}) {
      constexpr int64_t kRows = 3;
      const int64_t code_bytes = internal::row_code_bytes(element, head_dim);
      const int64_t scale_bytes = internal::row_scale_bytes(element, head_dim);
      std::vector<std::byte> codes(kRows * code_bytes + 64), scales(kRows * scale_bytes + 4);
      const std::vector<float> x = normals(kRows * head_dim, 7);
      for (int64_t row = 0; row < kRows; ++row) {
        internal::encode_row(element, x.data() + row * head_dim, head_dim,
                             codes.data() + row * code_bytes, scales.data() + row * scale_bytes);
      }
      const internal::KvRows rows = {.element = element,
                                     .head_dim = head_dim,
                                     .codes = codes.data(),
                                     .scales = scales.data(),
                                     .row_bytes = code_bytes,
                                     .scale_row_bytes = scale_bytes};
      const int64_t stride = (head_dim + 15) / 16 * 16;
      std::vector<float> exact(kRows * stride);
      internal::decode_rows_reference(rows, kRows, stride, exact.data());
      for (const auto& variant : internal::decode_rows_variants()) {
        if (!variant.runs_on(CpuFeatures::host())) continue;
        std::vector<float> out(kRows * stride, -1);
        variant.function(rows, kRows, stride, out.data());
        EXPECT_EQ(out, exact) << variant.name << " " << name(element) << " " << head_dim;
      }
    }
  }
  std::vector<float> x = normals(1001, 3);
  for (size_t i = 0; i < x.size(); ++i) x[i] = std::ldexp(x[i], static_cast<int>(i % 50) - 30);
  std::vector<std::byte> exact(2002), out(2002);
  internal::encode_f16_reference(x.data(), 1001, exact.data());
  for (const auto& variant : internal::encode_f16_variants()) {
    if (!variant.runs_on(CpuFeatures::host())) continue;
    variant.function(x.data(), 1001, out.data());
    EXPECT_EQ(out, exact) << variant.name;
  }
}

}  // namespace
}  // namespace anybit::kernel
