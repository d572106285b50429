#include "anybit/tensor/quantized_tensor.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <complex>
#include <cstring>

#include "anybit/numeric/ggml/block_codec.h"
#include "anybit/numeric/packing.h"
#include "anybit/tensor/random_quantized_tensor.h"

namespace anybit::tensor {
namespace {

using numeric::ElementKind;
using numeric::Granularity;
using numeric::Scheme;

Scheme scheme_of(const char* text) { return numeric::parse_scheme(text).value(); }

// One element by the words of scheme.h, code by code.
double element_value(const QuantizedTensor& tensor, int64_t row, int64_t col) {
  const Scheme& s = tensor.scheme;
  const int per_code = s.element.values_per_code();
  const uint32_t code = numeric::unpack_code(tensor.codes.bytes(), s.element.bits,
                                             (row * tensor.cols + col) / per_code);
  double value = 0;
  if (s.element.kind == ElementKind::kComplex) {
    const std::complex<float> unit = numeric::decode_complex(code);
    value = col % 2 == 0 ? unit.real() : unit.imag();
  } else if (s.element.kind == ElementKind::kCodebook) {
    value = tensor.codebook[code];
  } else {
    value = numeric::decode(s.element, code);
  }
  if (s.granularity == Granularity::kNone) return value;
  const int64_t index = numeric::scale_index(s, tensor.rows, tensor.cols, row, col);
  const double scale =
      numeric::decode(s.scale, numeric::unpack_code(tensor.scales.bytes(), s.scale.bits, index));
  const double zero_point =
      s.has_zero_point ? numeric::unpack_code(tensor.zero_points.bytes(), s.element.bits, index)
                       : 0;
  return double{tensor.tensor_scale} * scale * (value - zero_point);
}

TEST(Dequantize, FollowsTheDefinitionUnderEveryKindOfScheme) {
  for (const char* text : kSampledSchemes) {
    const Scheme scheme = scheme_of(text);
    if (scheme.ggml != numeric::GgmlType::kNone) continue;
    for (const auto& [rows, cols] : {std::pair<int64_t, int64_t>{5, 70}, {1, 2}, {3, 64}}) {
      if (!numeric::check_fits(scheme, rows, cols)) continue;
      const QuantizedTensor tensor = random_quantized_tensor(scheme, rows, cols, 1);
      ASSERT_TRUE(validate(tensor, text)) << validate(tensor, text).error().message;
      const std::vector<float> values = dequantize(tensor).value();
      for (int64_t i = 0; i < rows * cols; ++i) {
        const auto expected = static_cast<float>(element_value(tensor, i / cols, i % cols));
        const float found = values[static_cast<size_t>(i)];
        ASSERT_TRUE(found == expected || (std::isnan(found) && std::isnan(expected)))
            << text << " element " << i << ": " << found << ", expected " << expected;
      }
    }
  }
}

TEST(Dequantize, TakesAnyRows) {
  const QuantizedTensor tensor = random_quantized_tensor(scheme_of("uint3_g32_asym"), 7, 45, 2);
  const std::vector<float> all = dequantize(tensor).value();
  for (int64_t first = 0; first < 7; ++first) {
    std::vector<float> part(static_cast<size_t>(2 * 45));
    if (first + 2 > 7) continue;
    ASSERT_TRUE(dequantize_rows(tensor, first, 2, part));
    EXPECT_TRUE(std::ranges::equal(part, std::span(all).subspan(first * 45, part.size())));
  }
  EXPECT_TRUE(dequantize_rows(tensor, 7, 0, {}));
}

TEST(Dequantize, DecodesGgmlBlocksOfAnyRows) {
  const QuantizedTensor tensor = random_quantized_tensor(scheme_of("q4_k"), 3, 512, 3);
  std::vector<float> expected(3 * 512);
  ASSERT_TRUE(numeric::dequantize_ggml(numeric::GgmlType::kQ4_K, tensor.codes.bytes(), expected));
  std::vector<float> row(512);
  ASSERT_TRUE(dequantize_rows(tensor, 1, 1, row));
  EXPECT_EQ(0, std::memcmp(row.data(), expected.data() + 512, 512 * sizeof(float)));
}

TEST(DecodeScales, GivesTheGridWithoutTheTensorScale) {
  const QuantizedTensor tensor = random_quantized_tensor(scheme_of("nvfp4"), 3, 40, 4);
  const std::vector<float> scales = decode_scales(tensor);
  ASSERT_EQ(scales.size(), 9U);
  for (int64_t i = 0; i < 9; ++i) {
    const uint32_t code = numeric::unpack_code(tensor.scales.bytes(), 8, i);
    const auto expected = static_cast<float>(numeric::decode(numeric::kE4M3, code));
    EXPECT_EQ(scales[static_cast<size_t>(i)], expected);
  }
  EXPECT_TRUE(decode_scales(random_quantized_tensor(scheme_of("bf16"), 3, 40, 5)).empty());
}

TEST(DenseF32, HoldsTheValues) {
  const std::vector<float> values = {1, 2, 3, 4, 5, 6};
  const QuantizedTensor tensor = dense_f32(values, 2, 3);
  EXPECT_TRUE(validate(tensor, "dense"));
  EXPECT_EQ(dequantize(tensor).value(), values);
  EXPECT_EQ(tensor.size_bytes(), 24);
}

TEST(SizeBytes, CountsEveryStoredPart) {
  // 4 x 64: 128 bytes of codes, 8 f16 scales, 8 4-bit zero points.
  EXPECT_EQ(random_quantized_tensor(scheme_of("uint4_g32_asym"), 4, 64, 1).size_bytes(),
            128 + 16 + 4);
  EXPECT_EQ(random_quantized_tensor(scheme_of("nvfp4"), 4, 64, 1).size_bytes(), 128 + 16 + 4);
  EXPECT_EQ(random_quantized_tensor(scheme_of("codebook4_channel"), 4, 64, 1).size_bytes(),
            128 + 16 + 64);
  EXPECT_EQ(random_quantized_tensor(scheme_of("nf4"), 4, 64, 1).size_bytes(), 128 + 16);
  EXPECT_EQ(random_quantized_tensor(scheme_of("q4_0"), 4, 64, 1).size_bytes(), 4 * 2 * 18);
}

TEST(Validate, AgreesWithBitsPerWeight) {
  for (const char* text : kSampledSchemes) {
    const Scheme scheme = scheme_of(text);
    constexpr int64_t kRows = 16, kCols = 512;  // Every part ends on a byte.
    const QuantizedTensor tensor = random_quantized_tensor(scheme, kRows, kCols, 6);
    const double bits = 8.0 * static_cast<double>(tensor.size_bytes()) / (kRows * kCols);
    EXPECT_NEAR(bits, numeric::bits_per_weight(scheme, kRows, kCols), 8.0 / (kRows * kCols))
        << text;
  }
}

Buffer one_byte_less(const Buffer& buffer) { return buffer.slice(0, buffer.size() - 1); }

void expect_refused(const QuantizedTensor& tensor, const char* part) {
  const Status status = validate(tensor, "the.name");
  ASSERT_FALSE(status) << part;
  EXPECT_EQ(status.error().code, ErrorCode::kCorruptData);
  EXPECT_NE(status.error().message.find("the.name"), std::string::npos);
  EXPECT_NE(status.error().message.find(part), std::string::npos) << status.error().message;
}

TEST(Validate, NamesThePartThatDisagrees) {
  const QuantizedTensor good = random_quantized_tensor(scheme_of("uint4_g32_asym"), 4, 64, 1);
  QuantizedTensor bad = good;
  bad.codes = one_byte_less(good.codes);
  expect_refused(bad, "codes: expected 128 bytes, found 127");
  bad = good, bad.scales = one_byte_less(good.scales);
  expect_refused(bad, "scales: expected 16 bytes, found 15");
  bad = good, bad.zero_points = Buffer();
  expect_refused(bad, "zero points: expected 4 bytes, found 0");
  bad = good, bad.codebook = {1.0F};
  expect_refused(bad, "codebook: expected 0 values, found 1");
  bad = good, bad.tensor_scale = 2;
  expect_refused(bad, "tensor scale");
  bad = good, bad.rows = 5;
  expect_refused(bad, "codes");
}

TEST(Validate, RefusesExtentsThatOverflow) {
  QuantizedTensor bad = random_quantized_tensor(scheme_of("int4_g32"), 4, 64, 1);
  for (const auto& [rows, cols] : {std::pair<int64_t, int64_t>{-1, 64},
                                   {4, -64},
                                   {INT64_MAX, 2},
                                   {INT64_MAX, 0},
                                   {0, INT64_MAX},
                                   {int64_t{1} << 32, int64_t{1} << 32},
                                   {INT64_MIN, INT64_MIN}}) {
    bad.rows = rows;
    bad.cols = cols;
    expect_refused(bad, "");
  }
  bad = random_quantized_tensor(scheme_of("q4_k"), 4, 256, 1);
  bad.cols = 255;
  expect_refused(bad, "256");
}

}  // namespace
}  // namespace anybit::tensor
