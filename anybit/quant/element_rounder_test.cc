#include "anybit/quant/element_rounder.h"

#include <gtest/gtest.h>

#include <cmath>

#include "anybit/base/philox.h"

namespace anybit::quant {
namespace {

TEST(ElementRounder, AgreesWithEncodeEverywhere) {
  for (const std::string& name : numeric::all_format_names()) {
    const auto format = numeric::parse_element_format(name);
    ASSERT_TRUE(format.has_value()) << name;
    using numeric::ElementKind;
    if (format->kind == ElementKind::kComplex || format->kind == ElementKind::kCodebook) continue;
    const ElementRounder rounder(*format);
    const double range = std::min(2.5 * numeric::max_finite(*format), 1e30);
    const Philox random(1, format->bits);
    for (uint64_t i = 0; i < 2000; ++i) {
      const double magnitude = i % 2 == 0 ? range : 4.0;
      const auto x = static_cast<float>((2 * random.uniform(i) - 1) * magnitude);
      ASSERT_EQ(rounder.encode(x), numeric::encode(*format, x)) << name << " of " << x;
      ASSERT_EQ(rounder.round(x), rounder.value(rounder.encode(x))) << name << " of " << x;
    }
    if (format->bits > 8) continue;
    // Every midpoint of neighbours, and the floats beside it.
    for (uint32_t code = 0; code + 1 < format->num_codes(); ++code) {
      const double a = numeric::decode(*format, code), b = numeric::decode(*format, code + 1);
      if (!std::isfinite(a) || !std::isfinite(b)) continue;
      const auto middle = static_cast<float>((a + b) / 2);
      for (const float x : {std::nextafterf(middle, -INFINITY), middle,
                            std::nextafterf(middle, INFINITY), static_cast<float>(a)}) {
        if (x == 0) continue;  // The sign of zero is encode()'s choice.
        ASSERT_EQ(rounder.encode(x), numeric::encode(*format, x)) << name << " of " << x;
      }
    }
  }
}

TEST(ElementRounder, CodebookTakesTheNearestEntry) {
  const std::vector<float> codebook = {-1.0f, -0.25f, 0.5f, 2.0f};
  const ElementRounder rounder(numeric::codebook_format(2), codebook);
  for (int i = -300; i < 300; ++i) {
    const float x = 0.01f * static_cast<float>(i);
    EXPECT_EQ(rounder.encode(x), numeric::encode_codebook(codebook, x)) << x;
  }
  EXPECT_EQ(rounder.max_value(), 2.0);
  EXPECT_EQ(rounder.min_value(), -1.0);
}

TEST(ElementRounder, CodebookMayRepeatValues) {
  const std::vector<float> codebook = {0.0f, 0.0f, 0.0f, 1.0f};
  const ElementRounder rounder(numeric::codebook_format(2), codebook);
  EXPECT_EQ(rounder.round(-5), 0.0f);
  EXPECT_EQ(rounder.round(0.4f), 0.0f);
  EXPECT_EQ(rounder.round(0.6f), 1.0f);
}

}  // namespace
}  // namespace anybit::quant
