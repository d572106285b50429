#include "anybit/kernel/matmul/matmul.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "anybit/base/philox.h"
#include "anybit/kernel/matmul/random_weight.h"

namespace anybit::kernel {
namespace {

using tensor::QuantizedTensor;

struct Shape {
  int64_t rows, cols;
};

// One scheme of every family of elements, scales and granularities.
const char* const kSchemes[] = {
    "binary",
    "binary_g32",
    "ternary_channel",
    "ternary_g128",
    "bipolar2_g32",
    "bipolar3_g64",
    "bipolar4_g32",
    "bipolar6_channel",
    "complex2_g32",
    "int2_g32",
    "int3_g64",
    "int4_g32",
    "int4_g128",
    "int4_g16",
    "int5_g32",
    "int6_g128",
    "int7_channel",
    "int8_channel",
    "int8_g32",
    "int8_tensor",
    "int8f6_g32_se8m0",
    "uint1_g32_asym",
    "uint2_g32_asym",
    "uint3_g128_asym",
    "uint4_g64_asym",
    "uint5_g32",
    "uint5_g32_asym",
    "uint6_g16_asym",
    "uint8_g64_asym",
    "uint8_channel",
    "int4_b32x64",
    "int8_b128x128",
    "int4_g32_sbf16",
    "int4_g32_sf32",
    "int4_g32_se4m3_ts",
    "uint4_g32_sue5m3",
    "mxfp4",
    "nvfp4",
    "nvint4",
    "mxfp6_e3m2",
    "mxfp6_e2m3",
    "mxfp8_e4m3",
    "mxfp8_e5m2",
    "mxint8",
    "nf4",
    "e1m2_g32",
    "e2m1_g64",
    "e3m0_g32",
    "e2m2_channel",
    "e4m3_tensor",
    "e5m2_channel",
    "e3m4_channel",
    "e4m2_channel",
    "posit4_0_g32",
    "posit6_1_channel",
    "posit8_0_channel",
    "posit8_1_channel",
    "lns4_1_g32",
    "lns8_3_channel",
    "codebook2_g64",
    "codebook3_g32",
    "codebook4_channel",
    "codebook5_channel",
    "codebook6_channel",
    "codebook7_channel",
    "codebook8_channel",
    "int9_channel",
    "int12_g32",
    "int16_channel",
    "uint10_g32_asym",
    "uint16_channel",
    "e5m9_channel",
    "posit16_1",
    "lns12_6_channel",
    "codebook10_channel",
    "f16",
    "bf16",
    "f32",
    "tf32",
    "int4_g24",
    "q4_0",
    "q4_1",
    "q5_0",
    "q5_1",
    "q8_0",
    "q2_k",
    "q3_k",
    "q4_k",
    "q5_k",
    "q6_k",
    "iq4_nl",
    "iq4_xs",
    "iq2_xxs",
    "iq3_s",
    "iq1_s",
    "tq1_0",
    "tq2_0",
};

std::vector<float> random_activations(int64_t m, int64_t k, uint64_t seed) {
  std::vector<float> a(static_cast<size_t>(m * k));
  const Philox random(seed);
  for (size_t i = 0; i < a.size(); ++i) a[i] = static_cast<float>(random.normal(i));
  return a;
}

// What one product may deviate by, from how activations are rounded and sums formed.
class ErrorBound {
 public:
  // limit: largest activation code (127, 2047), or 0 for float kernels. weight_error: the largest
  // relative change of a row by the kernel's weights.
  ErrorBound(const QuantizedTensor& weight, double limit, double weight_error)
      : limit_(limit), weight_error_(weight_error), cols_(weight.cols) {
    weights_.resize(static_cast<size_t>(weight.rows * weight.cols));
    EXPECT_TRUE(tensor::dequantize_rows(weight, 0, weight.rows, weights_).has_value());
  }

  double of(const float* a, int64_t n) const {
    const float* w = &weights_[static_cast<size_t>(n * cols_)];
    double bound = 0, products = 0, weight_norm = 0, activation_norm = 0;
    for (int64_t first = 0; first < cols_; first += 32) {
      const int64_t end = std::min(first + 32, cols_);
      double amax = 0, weight_sum = 0;
      for (int64_t k = first; k < end; ++k) {
        const auto x = static_cast<double>(a[k]), y = static_cast<double>(w[k]);
        amax = std::max(amax, std::fabs(x));
        weight_sum += std::fabs(y);
        products += std::fabs(x * y);
        weight_norm += y * y;
        activation_norm += x * x;
      }
      // Half a step of the activations' grid, and what f32 loses in finding the code.
      if (limit_ > 0) bound += weight_sum * amax / limit_ * (0.5 + limit_ * 0x1p-22);
    }
    // Roundings: one a column in a float chain, three a subblock otherwise; mins and zero points
    // add terms larger than the products they correct by at most 2^bits, here covered by 64.
    const double roundings = static_cast<double>(cols_) + 64;
    return bound + weight_error_ * std::sqrt(weight_norm * activation_norm) +
           (products + greatest_term(a, w)) * roundings * 0x1p-24;
  }

 private:
  // Zero points: |scale * zero_point * a| stands in sums although the difference is what counts.
  double greatest_term(const float* a, const float* w) const {
    double amax = 0, wmax = 0;
    for (int64_t k = 0; k < cols_; ++k) {
      amax = std::max(amax, std::fabs(static_cast<double>(a[k])));
      wmax = std::max(wmax, std::fabs(static_cast<double>(w[k])));
    }
    return 2 * amax * wmax * static_cast<double>(cols_);
  }

  double limit_, weight_error_;
  int64_t cols_;
  std::vector<float> weights_;
};

ErrorBound bound_for(const QuantizedTensor& weight, std::string_view kernel) {
  if (kernel.starts_with("int8") || kernel.starts_with("table")) return {weight, 127, 0};
  if (kernel.starts_with("int16")) return {weight, 2047, 0x1p-10};
  return {weight, 0, 0};
}

std::string what(const numeric::Scheme& scheme, const PackedMatrix& packed, int64_t m) {
  return numeric::scheme_name(scheme) + " by " + std::string(packed.kernel_name()) + ", [" +
         std::to_string(packed.rows()) + ", " + std::to_string(packed.cols()) +
         "], m = " + std::to_string(m);
}

void expect_near_reference(const QuantizedTensor& weight, const PackedMatrix& packed, int64_t m) {
  const std::vector<float> a = random_activations(m, weight.cols, 11);
  std::vector<float> expected(static_cast<size_t>(m * weight.rows)), found(expected.size());
  matmul_reference(weight, a.data(), m, expected.data());
  packed.matmul(a.data(), m, found.data(), {2});
  const ErrorBound bound = bound_for(weight, packed.kernel_name());
  for (int64_t i = 0; i < m; ++i) {
    for (int64_t n = 0; n < weight.rows; ++n) {
      const auto at = static_cast<size_t>(i * weight.rows + n);
      const double allowed = bound.of(&a[static_cast<size_t>(i * weight.cols)], n);
      ASSERT_NEAR(found[at], expected[at], allowed)
          << what(weight.scheme, packed, m) << ", element (" << i << ", " << n << ")";
    }
  }
}

class EveryScheme : public testing::TestWithParam<const char*> {
 protected:
  QuantizedTensor weight(Shape shape) {
    const auto scheme = numeric::parse_scheme(GetParam());
    EXPECT_TRUE(scheme.has_value()) << scheme.error().message;
    // Block types come in rows of whole blocks.
    if (scheme->ggml != numeric::GgmlType::kNone) shape.cols = (shape.cols + 255) / 256 * 256;
    if (scheme->element.kind == numeric::ElementKind::kComplex) shape.cols += shape.cols % 2;
    auto weight = random_weight(*scheme, shape.rows, shape.cols, 5);
    EXPECT_TRUE(weight.has_value()) << weight.error().message;
    return std::move(*weight);
  }
};

TEST_P(EveryScheme, AgreesWithTheReference) {
  for (const Shape shape : {Shape{16, 64}, Shape{37, 200}, Shape{5, 544}}) {
    const QuantizedTensor w = weight(shape);
    const auto packed = pack(w, {.threads = {2}});
    ASSERT_TRUE(packed.has_value()) << packed.error().message;
    for (const int64_t m : {1, 2, 3, 5, 16, 33}) {
      expect_near_reference(w, **packed, m);
      if (HasFatalFailure()) return;
    }
  }
}

TEST_P(EveryScheme, EveryForcedKernelAgreesWithTheReference) {
  const QuantizedTensor w = weight({37, 200});
  int tried = 0;
  for (const MatmulKernel& kernel : matmul_kernels()) {
    if (!kernel.supports(w.scheme, w.rows, w.cols, CpuFeatures::host())) continue;
    const auto packed = pack(w, {.kernel_name = std::string(kernel.name), .threads = {1}});
    if (!packed) {
      // A kernel may refuse values it cannot hold, nothing else.
      EXPECT_EQ(packed.error().code, ErrorCode::kUnsupported) << packed.error().message;
      continue;
    }
    ++tried;
    EXPECT_EQ((*packed)->kernel_name(), kernel.name);
    expect_near_reference(w, **packed, 7);
    if (HasFatalFailure()) return;
  }
  EXPECT_GE(tried, w.scheme.group_size % 16 == 0 ? 2 : 1);
}

TEST_P(EveryScheme, VectorKernelsEqualTheirScalarTextBitForBit) {
  const QuantizedTensor w = weight({37, 392});
  const std::vector<float> a = random_activations(9, w.cols, 3);
  for (const MatmulKernel& kernel : matmul_kernels()) {
    if (!kernel.supports(w.scheme, w.rows, w.cols, CpuFeatures::host())) continue;
    const std::string name(kernel.name);
    const std::string arithmetic = name.substr(0, name.find('_'));
    const auto scalar =
        pack(w, {.kernel_name = (arithmetic == "table" ? "int8" : arithmetic) + "_scalar"});
    const auto vector = pack(w, {.kernel_name = name});
    if (!scalar || !vector) continue;
    for (const int64_t m : {1, 9}) {
      std::vector<float> expected(static_cast<size_t>(m * w.rows)), found(expected.size());
      (*scalar)->matmul(a.data(), m, expected.data(), {1});
      (*vector)->matmul(a.data(), m, found.data(), {1});
      EXPECT_EQ(std::memcmp(expected.data(), found.data(), expected.size() * sizeof(float)), 0)
          << what(w.scheme, **vector, m);
    }
  }
}

TEST_P(EveryScheme, SumsDependNeitherOnThreadsNorOnOtherRows) {
  const QuantizedTensor w = weight({53, 544});
  const auto packed = pack(w, {});
  ASSERT_TRUE(packed.has_value()) << packed.error().message;
  constexpr int64_t kRows = 14;
  const std::vector<float> a = random_activations(kRows, w.cols, 4);
  std::vector<float> all(static_cast<size_t>(kRows * w.rows)), other(all.size());
  (*packed)->matmul(a.data(), kRows, all.data(), {1});
  (*packed)->matmul(a.data(), kRows, other.data(), {3});
  EXPECT_EQ(std::memcmp(all.data(), other.data(), all.size() * sizeof(float)), 0);
  for (int64_t i = 0; i < kRows; ++i) {
    (*packed)->matmul(&a[static_cast<size_t>(i * w.cols)], 1, other.data(), {2});
    EXPECT_EQ(std::memcmp(&all[static_cast<size_t>(i * w.rows)], other.data(),
                          static_cast<size_t>(w.rows) * sizeof(float)),
              0)
        << what(w.scheme, **packed, 1) << ", row " << i;
  }
}

std::string test_name(const testing::TestParamInfo<const char*>& info) { return info.param; }

INSTANTIATE_TEST_SUITE_P(Matmul, EveryScheme, testing::ValuesIn(kSchemes), test_name);

QuantizedTensor random_scheme(const char* name, int64_t rows, int64_t cols) {
  auto weight = random_weight(*numeric::parse_scheme(name), rows, cols, 6);
  EXPECT_TRUE(weight.has_value());
  return std::move(*weight);
}

TEST(Matmul, IntegerKernelsSpreadNonFiniteActivationsOverTheirRow) {
  for (const char* scheme : {"int4_g32", "nf4", "uint4_g64_asym"}) {
    const QuantizedTensor w = random_scheme(scheme, 20, 128);
    const auto packed = pack(w, {});
    ASSERT_TRUE(packed.has_value());
    for (const float bad :
         {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
      std::vector<float> a = random_activations(3, 128, 8), c(60);
      a[128 + 77] = bad;
      (*packed)->matmul(a.data(), 3, c.data(), {1});
      for (int n = 0; n < 20; ++n) {
        EXPECT_TRUE(std::isfinite(c[n]) && std::isfinite(c[40 + n]));
        EXPECT_TRUE(std::isnan(c[20 + n])) << scheme;
      }
    }
  }
}

TEST(Matmul, TinyAndZeroActivationsGiveZero) {
  const QuantizedTensor w = random_scheme("int4_g32", 16, 64);
  const auto packed = pack(w, {});
  std::vector<float> a(64, 0x1p-120f), c(16, 1.0f);
  (*packed)->matmul(a.data(), 1, c.data(), {1});
  for (const float x : c) EXPECT_EQ(x, 0);
}

TEST(Matmul, ExtremeActivationsDoNotOverflowIntegerSums) {
  // Every product at its largest and of one sign: sums stand at the bounds of their registers.
  for (const char* scheme :
       {"int4_g32", "int5_g32", "int6_g32", "uint6_g16_asym", "int7_g32", "int8_g32",
        "bipolar4_g32", "mxfp4", "codebook8_channel", "int16_channel"}) {
    for (const float sign : {1.0f, -1.0f}) {
      QuantizedTensor w = random_scheme(scheme, 16, 96);
      // All bits set, and only the top bit of every code: the least and greatest integers.
      for (const bool ones : {true, false}) {
        for (std::byte& byte : w.codes.writable()) byte = std::byte(ones ? 0xFF : 0);
        const auto packed = pack(w, {});
        ASSERT_TRUE(packed.has_value()) << packed.error().message;
        std::vector<float> a(96, sign), expected(16), found(16);
        matmul_reference(w, a.data(), 1, expected.data());
        (*packed)->matmul(a.data(), 1, found.data(), {1});
        const ErrorBound bound = bound_for(w, (*packed)->kernel_name());
        for (int64_t n = 0; n < 16; ++n) {
          EXPECT_NEAR(found[n], expected[n], bound.of(a.data(), n)) << scheme << ones << sign;
        }
      }
    }
  }
}

TEST(Matmul, CodesThatAreNotNumbersGoToTheFloatKernel) {
  QuantizedTensor w = random_scheme("e4m3_channel", 16, 64);
  w.codes.writable()[70] = std::byte{0x7F};  // NaN, row 1.
  const auto packed = pack(w, {});
  ASSERT_TRUE(packed.has_value()) << packed.error().message;
  EXPECT_TRUE((*packed)->kernel_name().starts_with("dequantize") ||
              (*packed)->kernel_name().starts_with("float"));
  std::vector<float> a(64, 1.0f), c(16);
  (*packed)->matmul(a.data(), 1, c.data(), {1});
  for (int n = 0; n < 16; ++n) EXPECT_EQ(std::isnan(c[n]), n == 1);
}

TEST(Matmul, RowsTooSmallForFixedPointStayExact) {
  QuantizedTensor w = random_scheme("e5m2_tensor", 16, 64);
  // One row of the least values beside rows of the largest.
  for (int i = 0; i < 64; ++i) w.codes.writable()[i] = std::byte(i % 4);
  const auto packed = pack(w, {});
  ASSERT_TRUE(packed.has_value());
  EXPECT_TRUE((*packed)->kernel_name().starts_with("float"));
  expect_near_reference(w, **packed, 2);
}

TEST(Matmul, PackedBytesStayCloseToTheScheme) {
  for (const char* name : {"int2_g32", "int3_g128", "int4_g32", "int5_g128", "int6_g32", "mxfp4",
                           "nvfp4", "nf4", "q4_0", "q4_k", "q6_k", "q2_k", "e4m3_channel"}) {
    const QuantizedTensor w = random_scheme(name, 64, 1024);
    const auto packed = pack(w, {});
    ASSERT_TRUE(packed.has_value());
    // Sub-scales of k-quants are bytes here and 6 bits there.
    EXPECT_LE(static_cast<double>((*packed)->size_bytes()),
              1.05 * static_cast<double>(w.size_bytes()))
        << name;
  }
}

TEST(Matmul, EmptyProductsDoNothing) {
  const QuantizedTensor w = random_scheme("int4_g32", 16, 64);
  const auto packed = pack(w, {});
  (*packed)->matmul(nullptr, 0, nullptr, {2});
}

TEST(Matmul, UnknownKernelIsNotFound) {
  const QuantizedTensor w = random_scheme("int4_g32", 16, 64);
  const auto packed = pack(w, {.kernel_name = "int8_z80"});
  ASSERT_FALSE(packed.has_value());
  EXPECT_EQ(packed.error().code, ErrorCode::kNotFound);
  EXPECT_NE(packed.error().message.find("int8_scalar"), std::string::npos);
}

TEST(Matmul, KernelThatCannotIsUnsupported) {
  const auto packed = pack(random_scheme("nf4", 16, 64), {.kernel_name = "int8_scalar"});
  ASSERT_FALSE(packed.has_value());
  EXPECT_EQ(packed.error().code, ErrorCode::kUnsupported);
  CpuFeatures nothing;
  const auto without = pack(random_scheme("int4_g32", 16, 64), {.cpu = nothing});
  ASSERT_TRUE(without.has_value());
  EXPECT_EQ((*without)->kernel_name(), "int8_scalar");
}

TEST(Matmul, CorruptTensorIsRefused) {
  QuantizedTensor w = random_scheme("int4_g32", 16, 64);
  w.codes = Buffer::allocate(3);
  const auto packed = pack(w, {});
  ASSERT_FALSE(packed.has_value());
  EXPECT_EQ(packed.error().code, ErrorCode::kCorruptData);
}

}  // namespace
}  // namespace anybit::kernel
