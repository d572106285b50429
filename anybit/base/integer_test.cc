#include "anybit/base/integer.h"

#include <gtest/gtest.h>

#include <limits>

namespace anybit {
namespace {

TEST(Integer, CeilDivAndRoundUp) {
  for (int64_t value = 0; value < 100; ++value) {
    for (int64_t divisor = 1; divisor < 20; ++divisor) {
      const int64_t q = ceil_div(value, divisor);
      EXPECT_GE(q * divisor, value);
      EXPECT_LT((q - 1) * divisor, value);
      EXPECT_EQ(round_up(value, divisor), q * divisor);
    }
  }
}

TEST(Integer, ProductsReportOverflowAndNegativeExtents) {
  constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
  EXPECT_EQ(checked_product(kMax, 1), kMax);
  EXPECT_EQ(checked_product(kMax, 2), std::nullopt);
  EXPECT_EQ(checked_product(-1, 2), std::nullopt);
  EXPECT_EQ(checked_num_elements({}), 1);
  const int64_t fits[] = {3, 0, 5};
  EXPECT_EQ(checked_num_elements(fits), 0);
  const int64_t overflows[] = {int64_t{1} << 40, int64_t{1} << 40};
  EXPECT_EQ(checked_num_elements(overflows), std::nullopt);
}

}  // namespace
}  // namespace anybit
