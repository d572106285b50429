#include "anybit/numeric/scheme.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

namespace anybit::numeric {
namespace {

Scheme parsed(std::string_view text) {
  auto scheme = parse_scheme(text);
  EXPECT_TRUE(scheme.has_value()) << text << ": " << (scheme ? "" : scheme.error().message);
  return scheme.value_or(Scheme{});
}

std::vector<std::string> element_names() {
  std::vector<std::string> names = all_format_names();
  names.insert(names.end(), {"f32", "tf32", "complex2", "codebook1", "codebook4", "codebook16"});
  return names;
}

struct NamedGranularity {
  const char* name;
  Granularity granularity;
  int64_t group_size, block_rows, block_cols;
  bool is_small;  // Its default scale is f16, not f32.
};
constexpr NamedGranularity kGranularities[] = {
    {"tensor", Granularity::kTensor, 0, 0, 0, false},
    {"channel", Granularity::kChannel, 0, 0, 0, false},
    {"token", Granularity::kToken, 0, 0, 0, false},
    {"g2", Granularity::kGroup, 2, 0, 0, true},
    {"g128", Granularity::kGroup, 128, 0, 0, true},
    {"b128x64", Granularity::kBlock2d, 0, 128, 64, true},
};

// Every element x granularity x scale x zero point x second level: the string says what the struct
// holds, and printing gives the string back (with the default scale left out, or a standard's
// name).
TEST(Scheme, EveryCombinationParsesAndPrintsToItself) {
  const std::vector<std::string> scales = {"",     "f32",   "f16",   "bf16",  "e8m0",
                                           "e4m3", "ue5m3", "ue4m4", "ue5m0", "e5m2"};
  std::set<std::string> standards;
  for (const SchemeStandard& row : scheme_standards()) standards.emplace(row.name);
  size_t standards_met = 0;
  for (const std::string& element : element_names()) {
    const ElementFormat format = parse_element_format(element).value();
    EXPECT_EQ(scheme_name(parsed(element)), element);
    for (const NamedGranularity& g : kGranularities) {
      for (const std::string& scale : scales) {
        for (int flags = 0; flags < 4; ++flags) {
          const bool asym = (flags & 1) != 0, ts = (flags & 2) != 0;
          if (asym && format.kind != ElementKind::kUint) continue;
          const std::string tail = std::string(asym ? "_asym" : "") + (ts ? "_ts" : "");
          const std::string text =
              element + "_" + g.name + (scale.empty() ? "" : "_s" + scale) + tail;
          const std::string default_scale = g.is_small ? "f16" : "f32";
          Scheme expected;
          expected.element = format;
          expected.granularity = g.granularity;
          expected.group_size = g.group_size;
          expected.block_rows = g.block_rows;
          expected.block_cols = g.block_cols;
          expected.scale = parse_element_format(scale.empty() ? default_scale : scale).value();
          expected.has_zero_point = asym;
          expected.has_tensor_scale = ts;
          const auto scheme = parse_scheme(text);
          ASSERT_TRUE(scheme.has_value()) << text << ": " << scheme.error().message;
          ASSERT_EQ(*scheme, expected) << text;
          const std::string name = scheme_name(*scheme);
          if (standards.contains(name)) {
            ++standards_met;
          } else {
            const bool is_default = scale.empty() || scale == default_scale;
            const std::string canonical =
                element + "_" + g.name + (is_default ? "" : "_s" + scale) + tail;
            ASSERT_EQ(name, canonical);
          }
        }
      }
    }
  }
  EXPECT_EQ(standards_met, 0u);  // None of them has groups of 2 or 128.
}

TEST(Scheme, StandardsAreTheirParts) {
  for (const SchemeStandard& row : scheme_standards()) {
    const Scheme scheme = parsed(row.name);
    EXPECT_EQ(scheme, parsed(row.parts)) << row.name;
    EXPECT_EQ(scheme_name(scheme), row.name);
  }
  EXPECT_EQ(parsed("nvfp4").scale, kE4M3);
  EXPECT_TRUE(parsed("nvfp4").has_tensor_scale);
  EXPECT_EQ(parsed("mxint8").element, int_format(8, 6));
  EXPECT_EQ(scheme_name(parsed("nf4_g32_sf32")), "nf4_g32_sf32");
  EXPECT_EQ(parsed("nf4").codebook, StandardCodebook::kNf4);
  EXPECT_NE(parsed("nf4"), parsed("codebook4_g64_sf32"));
}

TEST(Scheme, EveryGgmlBlockTypeParsesAndPrintsToItself) {
  std::set<std::string> names;
  for (const GgmlTypeTraits& traits : ggml_types()) {
    if (!traits.is_block_quantized) continue;
    Scheme scheme;
    scheme.ggml = traits.type;
    const std::string name = scheme_name(scheme);
    EXPECT_EQ(parsed(name), scheme) << name;
    EXPECT_TRUE(names.insert(name).second) << name;
    EXPECT_EQ(bits_per_weight(scheme, 7, 256), 8.0 * traits.block_bytes / traits.block_elements);
    EXPECT_EQ(check_fits(scheme, 3, 256).has_value(), true);
    EXPECT_EQ(check_fits(scheme, 3, 257).has_value(), false);
  }
  EXPECT_TRUE(names.contains("q4_0"));
  EXPECT_TRUE(names.contains("ggml_mxfp4"));
  EXPECT_EQ(parsed("ggml_q4_k"), parsed("Q4_K"));
}

TEST(Scheme, RefusesWhatItDoesNotKnowAndSaysWhy) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "element format"},
      {"int17", "bits must be 1 to 16"},
      {"int4_", "after the element expected"},
      {"int4_g0", "after the element expected"},
      {"int4_g-3", "after the element expected"},
      {"int4_g032", "after the element expected"},
      {"int4_g99999999999999999999", "after the element expected"},
      {"int4_b8", "after the element expected"},
      {"int4_b8x", "after the element expected"},
      {"int4_group", "after the element expected"},
      {"int4_sf16", "after the element expected"},
      {"int4_asym", "after the element expected"},
      {"int4_g32_asym", "asym needs a uint<n>"},
      {"uint4_g32_ts_asym", "in this order"},
      {"uint4_g32_asym_asym", "in this order"},
      {"uint4_g32_sint8", "after s expected a float"},
      {"uint4_g32_s", "after s expected a float"},
      {"complex2_g3", "multiple of 2"},
      {"q9_k", "or a standard"},
      {"ggml_f32", "element format"},
  };
  for (const auto& [text, message] : cases) {
    const auto scheme = parse_scheme(text);
    ASSERT_FALSE(scheme.has_value()) << text;
    EXPECT_EQ(scheme.error().code, ErrorCode::kInvalidArgument);
    EXPECT_NE(scheme.error().message.find(message), std::string::npos) << scheme.error().message;
  }
}

// Counts of distinct scale indices against the grid's extents, elements of a group against sizes.
TEST(Scheme, ScaleGridCoversEveryElement) {
  for (const char* text : {"int4_tensor", "int4_channel", "int4_token", "int4_g5", "int4_g32",
                           "int4_g1", "int4_b2x3", "int4_b128x128"}) {
    const Scheme scheme = parsed(text);
    for (const auto& [rows, cols] : {std::pair{1, 1}, {3, 7}, {5, 12}, {4, 33}}) {
      std::vector<int64_t> uses(scale_shape(scheme, rows, cols).count());
      for (int64_t row = 0; row < rows; ++row) {
        for (int64_t col = 0; col < cols; ++col) {
          const int64_t index = scale_index(scheme, rows, cols, row, col);
          ASSERT_GE(index, 0);
          ASSERT_LT(index, static_cast<int64_t>(uses.size())) << text;
          ++uses[index];
        }
      }
      for (const int64_t count : uses) EXPECT_GT(count, 0) << text;
    }
  }
  const Scheme blocks = parsed("int8_b2x3");
  EXPECT_EQ(scale_index(blocks, 5, 7, 4, 6), 2 * 3 + 2);
  EXPECT_EQ(scale_shape(parsed("int4"), 5, 7).count(), 0);
}

TEST(Scheme, BitsPerWeightCountsEveryOverhead) {
  EXPECT_DOUBLE_EQ(bits_per_weight(parsed("bf16"), 10, 10), 16);
  EXPECT_DOUBLE_EQ(bits_per_weight(parsed("int4_g128"), 64, 1024), 4 + 16.0 / 128);
  EXPECT_DOUBLE_EQ(bits_per_weight(parsed("uint4_g64_asym"), 64, 1024), 4 + 20.0 / 64);
  EXPECT_DOUBLE_EQ(bits_per_weight(parsed("mxfp4"), 64, 1024), 4.25);
  EXPECT_DOUBLE_EQ(bits_per_weight(parsed("nvfp4"), 64, 1024), 4.5 + 32.0 / 65536);
  EXPECT_DOUBLE_EQ(bits_per_weight(parsed("nf4"), 64, 1024), 4.5);
  EXPECT_DOUBLE_EQ(bits_per_weight(parsed("codebook2_channel"), 64, 1024),
                   2 + 32.0 / 1024 + 4 * 32.0 / 65536);
  EXPECT_DOUBLE_EQ(bits_per_weight(parsed("complex2_tensor"), 64, 1024), 1 + 32.0 / 65536);
  EXPECT_DOUBLE_EQ(bits_per_weight(parsed("q4_0"), 64, 1024), 4.5);
  EXPECT_DOUBLE_EQ(bits_per_weight(parsed("int4_g64"), 2, 65), 4 + 4 * 16.0 / 130);
  EXPECT_DOUBLE_EQ(bits_per_weight(parsed("int4_g64"), 0, 64), 0);
}

TEST(Scheme, CheckFitsRefusesShapes) {
  EXPECT_TRUE(check_fits(parsed("int4_g128"), 3, 130).has_value());
  EXPECT_FALSE(check_fits(parsed("int4_g128"), -1, 130).has_value());
  EXPECT_FALSE(check_fits(parsed("int4_g128"), int64_t{1} << 40, int64_t{1} << 40).has_value());
  EXPECT_FALSE(check_fits(parsed("complex2_channel"), 3, 7).has_value());
  const auto q4_k = check_fits(parsed("q4_k"), 10, 576);
  ASSERT_FALSE(q4_k.has_value());
  EXPECT_EQ(q4_k.error().message, "q4_k needs a multiple of 256 columns, found 576");
}

TEST(Scheme, Nf4AscendsAndHoldsZeroAndUnits) {
  const auto values = nf4_codebook();
  for (size_t i = 1; i < values.size(); ++i) EXPECT_LT(values[i - 1], values[i]);
  EXPECT_EQ(values[0], -1);
  EXPECT_EQ(values[7], 0);
  EXPECT_EQ(values[15], 1);
}

}  // namespace
}  // namespace anybit::numeric
