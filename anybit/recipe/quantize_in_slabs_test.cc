#include "anybit/recipe/quantize_in_slabs.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <vector>

#include "anybit/base/philox.h"

namespace anybit::recipe {
namespace {

using tensor::QuantizedTensor;

constexpr int64_t kRows = 150, kCols = 256;

// Rows of different magnitude, so that slabs differ in their ranges.
std::vector<float> some_values() {
  const Philox random(5);
  std::vector<float> values(kRows * kCols);
  for (size_t i = 0; i < values.size(); ++i) {
    const size_t whole_rows = i / kCols;
    const auto row = static_cast<double>(whole_rows);
    values[i] = static_cast<float>((0.5 + row / kRows) * random.normal(i));
  }
  return values;
}

struct Slabs {
  int64_t count = 0;
  std::string codes, scales, zero_points, shared;
  std::optional<quant::TensorError> error;
};

std::string_view text_of(const Buffer& buffer) {
  return {reinterpret_cast<const char*>(buffer.data()), static_cast<size_t>(buffer.size())};
}

Result<Slabs> slabs_of(const QuantizedTensor& original,
                       const std::optional<numeric::Scheme>& scheme, const QuantizeOptions& options,
                       int64_t slab_elements) {
  Slabs slabs;
  const PlannedTensor planned{{"w", {original.rows, original.cols}}, scheme};
  ANYBIT_ASSIGN(slabs.error, quantize_in_slabs(
                                 original, planned, options,
                                 [&](const QuantizedTensor& slab, bool is_first) {
                                   EXPECT_EQ(is_first, slabs.count == 0);
                                   ++slabs.count;
                                   slabs.codes += text_of(slab.codes);
                                   const bool is_of_all =
                                       slab.scheme.granularity == numeric::Granularity::kTensor;
                                   if (is_first || !is_of_all) slabs.scales += text_of(slab.scales);
                                   if (is_first || !is_of_all)
                                     slabs.zero_points += text_of(slab.zero_points);
                                   const std::string shared = fmt::format(
                                       "{} {} {}", slab.tensor_scale,
                                       std::string(is_of_all ? text_of(slab.scales) : ""),
                                       slab.codebook.size());
                                   EXPECT_TRUE(is_first || shared == slabs.shared);
                                   slabs.shared = shared;
                                   return tensor::validate(slab, "slab");
                                 },
                                 slab_elements));
  return slabs;
}

QuantizeOptions options_of(std::string_view method) {
  QuantizeOptions options;
  options.method = *quant::find_method(method);
  return options;
}

TEST(QuantizeInSlabs, TheSameToTheBitForAnySlab) {
  const QuantizedTensor original = tensor::dense_f32(some_values(), kRows, kCols);
  const char* schemes[] = {"int4_g64",
                           "int3_channel",
                           "uint4_g32_asym",
                           "nvfp4",
                           "nf4",
                           "codebook3_g64",
                           "codebook4_channel",
                           "int8_b16x32",
                           "complex2_g64",
                           "posit16_1",
                           "q4_k",
                           "int8_tensor",
                           "uint8_tensor_asym",
                           "e4m3_tensor",
                           "posit8_1_tensor",
                           "ternary_tensor",
                           "codebook4_tensor",
                           "bf16"};
  for (const char* text : schemes) {
    const numeric::Scheme scheme = numeric::parse_scheme(text).value();
    for (const char* method : {"rtn", "mse"}) {
      const QuantizeOptions options = options_of(method);
      const auto whole = slabs_of(original, scheme, options, kSlabElements);
      ASSERT_TRUE(whole) << whole.error().message;
      ASSERT_EQ(whole->count, 1);
      for (const int64_t slab_elements : {1, 70 * 256}) {
        const auto slabs = slabs_of(original, scheme, options, slab_elements);
        ASSERT_TRUE(slabs) << slabs.error().message;
        EXPECT_EQ(slabs->count > 1, options.method->takes_slabs(scheme)) << text << " " << method;
        EXPECT_TRUE(slabs->codes == whole->codes) << text << " " << method;
        EXPECT_TRUE(slabs->scales == whole->scales) << text << " " << method;
        EXPECT_TRUE(slabs->zero_points == whole->zero_points) << text << " " << method;
        EXPECT_EQ(slabs->shared, whole->shared) << text << " " << method;
        EXPECT_EQ(slabs->error->relative, whole->error->relative) << text << " " << method;
        EXPECT_EQ(slabs->error->cosine, whole->error->cosine) << text << " " << method;
      }
    }
  }
}

TEST(QuantizeInSlabs, StochasticRoundingDrawsTheSameNumbers) {
  const QuantizedTensor original = tensor::dense_f32(some_values(), kRows, kCols);
  QuantizeOptions options = options_of("rtn");
  options.method_options.rounding = numeric::RoundingMode::kStochastic;
  const auto scheme = numeric::parse_scheme("int4_g64").value();
  const auto whole = slabs_of(original, scheme, options, kSlabElements);
  const auto slabs = slabs_of(original, scheme, options, 1);
  ASSERT_TRUE(whole && slabs);
  EXPECT_EQ(slabs->count, 5);
  EXPECT_TRUE(slabs->codes == whole->codes);
}

TEST(QuantizeInSlabs, KeepsWhatThePlanKeeps) {
  const QuantizedTensor original = tensor::dense_f32(some_values(), kRows, kCols);
  const auto kept = slabs_of(original, std::nullopt, options_of("rtn"), 1);
  ASSERT_TRUE(kept);
  EXPECT_EQ(kept->count, 5);
  EXPECT_EQ(kept->codes, text_of(original.codes));
  EXPECT_FALSE(kept->error.has_value());
}

TEST(QuantizeInSlabs, NamesTheElementThatIsNotFinite) {
  std::vector<float> values = some_values();
  values[static_cast<size_t>(100 * kCols + 7)] = std::numeric_limits<float>::quiet_NaN();
  const QuantizedTensor original = tensor::dense_f32(values, kRows, kCols);
  for (const char* text : {"int4_g64", "nvfp4", "codebook3_g64"}) {
    const auto slabs =
        slabs_of(original, numeric::parse_scheme(text).value(), options_of("rtn"), 1);
    ASSERT_FALSE(slabs) << text;
    EXPECT_NE(slabs.error().message.find("[100, 7]"), std::string::npos) << slabs.error().message;
  }
}

TEST(QuantizeInSlabs, TakesAMatrixWithoutRows) {
  const QuantizedTensor original = tensor::dense_f32({}, 0, kCols);
  const auto slabs =
      slabs_of(original, numeric::parse_scheme("int4_g64").value(), options_of("rtn"), 1);
  ASSERT_TRUE(slabs) << slabs.error().message;
  EXPECT_EQ(slabs->count, 1);
}

}  // namespace
}  // namespace anybit::recipe
