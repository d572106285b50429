#include "anybit/quant/method/round_to_nearest.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <string>
#include <vector>

#include "anybit/base/philox.h"
#include "anybit/quant/metric/tensor_error.h"

namespace anybit::quant {
namespace {

constexpr int64_t kRows = 24, kCols = 256;

std::vector<float> gaussian_weight(uint64_t seed) {
  const Philox random(seed);
  std::vector<float> values(kRows * kCols);
  for (size_t i = 0; i < values.size(); ++i) {
    values[i] = static_cast<float>(0.02 * random.normal(i));
  }
  return values;
}

numeric::Scheme scheme_of(std::string_view text) {
  const auto scheme = numeric::parse_scheme(text);
  EXPECT_TRUE(scheme.has_value()) << text;
  return *scheme;
}

double relative_error(const std::vector<float>& values, std::string_view scheme,
                      std::string_view method, Threads threads = {}) {
  const auto found = find_method(method);
  const auto stored =
      (*found)->quantize({values, kRows, kCols, "w"}, scheme_of(scheme), {.threads = threads});
  EXPECT_TRUE(stored.has_value()) << scheme << ": " << stored.error().message;
  if (!stored) return std::numeric_limits<double>::quiet_NaN();
  const auto valid = tensor::validate(*stored, "w");
  EXPECT_TRUE(valid.has_value()) << scheme << ": " << valid.error().message;
  const auto error = tensor_error(values, *stored, threads);
  EXPECT_TRUE(error.has_value());
  return error->relative;
}

constexpr const char* kSchemes[] = {"int2_g32",
                                    "int3_g64",
                                    "int4_g128",
                                    "int4_channel",
                                    "int8_tensor",
                                    "uint2_g32_asym",
                                    "uint4_g64_asym",
                                    "e2m1_g32",
                                    "e3m2_channel",
                                    "e4m3_tensor",
                                    "mxfp4",
                                    "mxfp6_e2m3",
                                    "mxfp6_e3m2",
                                    "mxfp8_e4m3",
                                    "mxint8",
                                    "nvfp4",
                                    "nvint4",
                                    "nf4",
                                    "codebook3_g64",
                                    "codebook4_channel",
                                    "posit6_1_g64",
                                    "posit8_1_channel",
                                    "lns8_3_channel",
                                    "binary_g64",
                                    "ternary_g64",
                                    "bipolar2_g32",
                                    "bipolar4_g32",
                                    "int8_b16x32",
                                    "int1_g32",
                                    "complex2_g64",
                                    "q4_0",
                                    "q8_0",
                                    "q6_k",
                                    "bf16",
                                    "f16",
                                    "posit16_1",
                                    "int4_g48"};

TEST(RoundToNearest, EverySchemeIsValidAndBelowTheErrorOfStoringZero) {
  const std::vector<float> values = gaussian_weight(1);
  for (const char* scheme : kSchemes) {
    EXPECT_LT(relative_error(values, scheme, "rtn"), 1.0) << scheme;
  }
}

TEST(RoundToNearest, ErrorFallsWithBits) {
  const std::vector<float> values = gaussian_weight(2);
  double previous = std::numeric_limits<double>::infinity();
  for (const char* scheme : {"int2_g32", "int3_g32", "int4_g32", "int5_g32", "int6_g32", "int7_g32",
                             "int8_g32", "int12_g32"}) {
    const double error = relative_error(values, scheme, "rtn");
    EXPECT_LT(error, 0.62 * previous) << scheme;
    previous = error;
  }
}

TEST(RoundToNearest, StoresWithinHalfAStep) {
  const std::vector<float> values = gaussian_weight(3);
  const auto stored = quantize_rtn({values, kRows, kCols, "w"}, scheme_of("int4_g32_sf32"), {});
  ASSERT_TRUE(stored.has_value());
  const std::vector<float> scales = tensor::decode_scales(*stored);
  const auto out = tensor::dequantize(*stored);
  ASSERT_TRUE(out.has_value());
  for (size_t i = 0; i < values.size(); ++i) {
    EXPECT_LE(std::abs((*out)[i] - values[i]), scales[i / 32] / 2 * (1 + 1e-5)) << i;
  }
}

TEST(RoundToNearest, ValuesOnTheGridStayThere) {
  std::vector<float> values(kRows * kCols);
  const Philox random(4);
  for (size_t i = 0; i < values.size(); ++i) {
    values[i] = 0.25f * static_cast<float>(static_cast<int>(random.bits64(i) % 15) - 7);
    if (i % 32 == 0) values[i] = 0.25f * 7;
  }
  EXPECT_EQ(relative_error(values, "int4_g32", "rtn"), 0);
  EXPECT_EQ(relative_error(values, "int4_g32", "mse"), 0);
}

TEST(MeanSquaredError, NeverWorseThanTheRule) {
  const std::vector<float> values = gaussian_weight(5);
  for (const char* scheme : kSchemes) {
    const double rule = relative_error(values, scheme, "rtn");
    const double search = relative_error(values, scheme, "mse");
    EXPECT_LE(search, rule * (1 + 1e-6)) << scheme;
  }
  for (const char* scheme : {"int2_g32", "int3_g64", "int4_channel", "e2m1_g32", "posit6_1_g64"}) {
    EXPECT_LT(relative_error(values, scheme, "mse"), 0.97 * relative_error(values, scheme, "rtn"))
        << scheme;
  }
}

TEST(MeanSquaredError, ImportanceMovesErrorElsewhere) {
  const std::vector<float> values = gaussian_weight(6);
  std::vector<float> importance(kCols, 0.01f);
  for (size_t i = 0; i < kCols; i += 4) importance[i] = 1;
  const numeric::Scheme scheme = scheme_of("int3_g64");
  const auto weighted_error = [&](std::span<const float> used) {
    const auto stored = quantize_mse({values, kRows, kCols, "w", used}, scheme, {});
    const auto out = tensor::dequantize(*stored);
    double sum = 0;
    for (size_t i = 0; i < values.size(); ++i) {
      const double error = (*out)[i] - values[i];
      sum += importance[i % kCols] * error * error;
    }
    return sum;
  };
  EXPECT_LT(weighted_error(importance), weighted_error({}));
}

TEST(Quantize, DoesNotDependOnThreads) {
  const std::vector<float> values = gaussian_weight(7);
  for (const char* scheme : {"int3_g64", "codebook3_g64", "nvfp4", "q4_k", "int8_b16x32"}) {
    const auto one = quantize_mse({values, kRows, kCols, "w"}, scheme_of(scheme), {.threads = {1}});
    const auto three =
        quantize_mse({values, kRows, kCols, "w"}, scheme_of(scheme), {.threads = {3}});
    ASSERT_TRUE(one && three) << scheme;
    EXPECT_TRUE(std::ranges::equal(one->codes.bytes(), three->codes.bytes())) << scheme;
    EXPECT_TRUE(std::ranges::equal(one->scales.bytes(), three->scales.bytes())) << scheme;
  }
}

TEST(Quantize, ZerosStayZeros) {
  const std::vector<float> values(kRows * kCols, 0.0f);
  for (const char* scheme : kSchemes) {
    const auto stored = quantize_mse({values, kRows, kCols, "w"}, scheme_of(scheme), {});
    ASSERT_TRUE(stored.has_value()) << scheme;
    const auto out = tensor::dequantize(*stored);
    ASSERT_TRUE(out.has_value()) << scheme;
    EXPECT_LE(std::ranges::max(*out, {}, [](float x) { return std::abs(x); }), 1e-30f) << scheme;
  }
}

TEST(Quantize, StochasticRoundingIsUnbiasedAndSeeded) {
  std::vector<float> values(kRows * kCols, 0.3f);
  for (size_t i = 0; i < values.size(); i += 32) values[i] = 7;
  const MethodOptions options{.rounding = numeric::RoundingMode::kStochastic, .seed = 9};
  const auto stored =
      quantize_rtn({values, kRows, kCols, "w"}, scheme_of("int4_g32_sf32"), options);
  ASSERT_TRUE(stored.has_value());
  const auto out = tensor::dequantize(*stored);
  double sum = 0;
  int64_t count = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    if (i % 32 == 0) continue;
    sum += (*out)[i];
    ++count;
  }
  const double deviation = std::sqrt(0.3 * 0.7 / static_cast<double>(count));
  EXPECT_NEAR(sum / static_cast<double>(count), 0.3, 4 * deviation);
  const auto again = quantize_rtn({values, kRows, kCols, "w"}, scheme_of("int4_g32_sf32"), options);
  EXPECT_TRUE(std::ranges::equal(stored->codes.bytes(), again->codes.bytes()));
}

TEST(Quantize, RefusesNonFiniteWeightsAndUnfitShapes) {
  std::vector<float> values = gaussian_weight(8);
  values[kCols + 3] = std::numeric_limits<float>::quiet_NaN();
  const auto nan = quantize_rtn({values, kRows, kCols, "layer.0"}, scheme_of("int4_g32"), {});
  ASSERT_FALSE(nan.has_value());
  EXPECT_NE(nan.error().message.find("layer.0"), std::string::npos);
  EXPECT_NE(nan.error().message.find("[1, 3]"), std::string::npos);
  const std::vector<float> narrow(8 * 100, 1.0f);
  const auto unfit = quantize_rtn({narrow, 8, 100, "w"}, scheme_of("q4_k"), {});
  ASSERT_FALSE(unfit.has_value());
  EXPECT_EQ(unfit.error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(find_method("gptqq").error().code, ErrorCode::kNotFound);
}

}  // namespace
}  // namespace anybit::quant
