#include "anybit/numeric/element_format.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>
#include <string>

#include "anybit/base/philox.h"

namespace anybit::numeric {
namespace {

TEST(ElementFormat, EveryFloatNameParsesAndPrintsToItself) {
  int num_formats = 0;
  for (int exponent = 0; exponent <= 16; ++exponent) {
    for (int mantissa = 0; mantissa <= 16; ++mantissa) {
      for (const std::string sign : {"", "u"}) {
        for (const std::string tail : {"", "fin", "fn", "ieee", "b3", "b-2fin", "b30fn"}) {
          const std::string text =
              sign + "e" + std::to_string(exponent) + "m" + std::to_string(mantissa) + tail;
          const auto format = parse_element_format(text);
          if (!format) continue;
          ++num_formats;
          const std::string name = element_name(*format);
          const auto again = parse_element_format(name);
          ASSERT_TRUE(again.has_value()) << text << " -> " << name;
          EXPECT_EQ(*again, *format) << text << " -> " << name;
          EXPECT_LE(name.size(), text.size()) << text << " -> " << name;
          EXPECT_GT(max_finite(*format), 0) << text;
          EXPECT_TRUE(std::isfinite(max_finite(*format))) << text;
        }
      }
    }
  }
  EXPECT_GT(num_formats, 1000);
}

TEST(ElementFormat, EveryListedNameParsesAndPrintsToItself) {
  for (const std::string& name : all_format_names()) {
    const auto format = parse_element_format(name);
    ASSERT_TRUE(format.has_value()) << name;
    EXPECT_EQ(element_name(*format), name);
    EXPECT_LE(format->bits, 16);
  }
  for (const FormatFamily& family : format_families()) {
    EXPECT_TRUE(parse_element_format(family.example).has_value()) << family.example;
  }
  for (const char* name : {"f32", "tf32", "complex2", "codebook7", "posit16_6", "lns16_7"}) {
    EXPECT_EQ(element_name(parse_element_format(name).value()), name);
  }
}

TEST(ElementFormat, NamesMeanTheStandards) {
  EXPECT_EQ(parse_element_format("e4m3").value(), kE4M3);
  EXPECT_EQ(parse_element_format("e4m3fn").value(), kE4M3);
  EXPECT_EQ(parse_element_format("e5m2ieee").value(), kE5M2);
  EXPECT_EQ(parse_element_format("e8m7ieee").value(), kBF16);
  EXPECT_EQ(parse_element_format("e5m10ieee").value(), kF16);
  EXPECT_EQ(parse_element_format("ue8m0").value(), kE8M0);
  EXPECT_EQ(parse_element_format("e2m1fin").value(), kE2M1);
  EXPECT_EQ(parse_element_format("e5m3").value().specials, Specials::kNone);
  EXPECT_EQ(parse_element_format("ue5m2").value().specials, Specials::kNone);
  EXPECT_EQ(parse_element_format("ue4m3").value().bits, 7);
  EXPECT_EQ(parse_element_format("e8m0fin").value().bits, 9);  // With a sign.
  EXPECT_EQ(max_finite(kE4M3), 448);
  EXPECT_EQ(max_finite(kE5M2), 57344);
  EXPECT_EQ(max_finite(kE3M2), 28);
  EXPECT_EQ(max_finite(kE2M3), 7.5);
  EXPECT_EQ(max_finite(kE2M1), 6);
  EXPECT_EQ(min_positive(kE8M0), 0x1p-127);
  EXPECT_EQ(max_finite(kE8M0), 0x1p127);
  EXPECT_EQ(max_finite(kF32), static_cast<double>(std::numeric_limits<float>::max()));
  EXPECT_EQ(min_positive(posit_format(16, 2)), 0x1p-56);
}

TEST(ElementFormat, RefusesOtherNamesAndSaysWhatExists) {
  for (const char* text : {"",          "int",       "int0",      "int17",
                           "int04",     "int4f",     "int4f31",   "uint99999999999",
                           "e",         "e3",        "e3m",       "m3",
                           "e3m2x",     "e0m0",      "e0m3ieee",  "e1m0fn",
                           "e9m9",      "e11m4",     "e12m3ieee", "e2m1b",
                           "e2m1b2000", "posit8",    "posit1_0",  "posit17_1",
                           "posit8_7",  "lns8",      "lns8_7",    "lns16_3",
                           "bipolar",   "bipolar17", "codebook0", "complex4",
                           "F32",       "int4 ",     " int4",     "e3m2fnfin"}) {
    const auto format = parse_element_format(text);
    ASSERT_FALSE(format.has_value()) << text;
    EXPECT_EQ(format.error().code, ErrorCode::kInvalidArgument);
    EXPECT_NE(format.error().message.find(text), std::string::npos) << format.error().message;
  }
}

TEST(ElementFormat, CodebookTakesTheNearestAndOfEqualsTheLower) {
  const float entries[] = {-2, -1, -1, 0, 1, 4};
  EXPECT_EQ(encode_codebook(entries, -100), 0u);
  EXPECT_EQ(encode_codebook(entries, -1.5), 0u);
  EXPECT_EQ(encode_codebook(entries, -1.4f), 1u);
  EXPECT_EQ(encode_codebook(entries, -1), 1u);
  EXPECT_EQ(encode_codebook(entries, -0.5), 1u);
  EXPECT_EQ(encode_codebook(entries, 2.5), 4u);
  EXPECT_EQ(encode_codebook(entries, 2.6f), 5u);
  EXPECT_EQ(encode_codebook(entries, 1e30f), 5u);
  const float far_apart[] = {-1e-30f, 1};
  EXPECT_EQ(encode_codebook(far_apart, 0.5f), 1u);  // The middle lies just below.
  const float all[] = {-3, 0.1f, 7};
  for (float x = -5; x < 9; x += 0.01f) {
    uint32_t best = 0;
    for (uint32_t i = 1; i < 3; ++i) {
      if (std::fabs(double{all[i]} - x) < std::fabs(double{all[best]} - x)) best = i;
    }
    EXPECT_EQ(encode_codebook(all, x), best) << x;
  }
}

TEST(ElementFormat, ComplexTakesTheNearestUnit) {
  for (uint32_t code = 0; code < 4; ++code) EXPECT_EQ(encode_complex(decode_complex(code)), code);
  EXPECT_EQ(encode_complex({1, 1}), 1u);
  EXPECT_EQ(encode_complex({-1, 1}), 2u);
  EXPECT_EQ(encode_complex({-1, -1}), 3u);
  EXPECT_EQ(encode_complex({1, -1}), 0u);
  EXPECT_EQ(encode_complex({0, 0}), 0u);
  const Philox random(2);
  for (int i = 0; i < 10000; ++i) {
    const double angle = 2 * std::numbers::pi * random.uniform(i);
    const std::complex<float> value(static_cast<float>(std::cos(angle)),
                                    static_cast<float>(std::sin(angle)));
    const uint32_t code = encode_complex(value);
    for (uint32_t other = 0; other < 4; ++other) {
      // 1e-6: the rounding of the two coordinates to float.
      EXPECT_LE(std::abs(value - decode_complex(code)),
                std::abs(value - decode_complex(other)) + 1e-6f);
    }
  }
}

TEST(ElementFormat, TableHoldsTheDecodedValues) {
  const auto table = decode_table(kE4M3);
  ASSERT_EQ(table.size(), 256u);
  for (uint32_t code = 0; code < 256; ++code) {
    if (code % 128 == 127) {
      EXPECT_TRUE(std::isnan(table[code]));
    } else {
      EXPECT_EQ(table[code], decode(kE4M3, code));
    }
  }
}

TEST(Rounding, NamesParseToTheirModes) {
  for (int mode = 0; mode <= static_cast<int>(RoundingMode::kStochastic); ++mode) {
    const auto parsed = parse_rounding_mode(name(static_cast<RoundingMode>(mode)));
    ASSERT_TRUE(parsed.has_value());
    EXPECT_EQ(*parsed, static_cast<RoundingMode>(mode));
  }
  const auto unknown = parse_rounding_mode("sideways");
  ASSERT_FALSE(unknown.has_value());
  EXPECT_EQ(unknown.error().code, ErrorCode::kInvalidArgument);
  EXPECT_NE(unknown.error().message.find("nearest_even"), std::string::npos);
}

}  // namespace
}  // namespace anybit::numeric
