#include "anybit/base/philox.h"

#include <gtest/gtest.h>

#include <cmath>

namespace anybit {
namespace {

// Known-answer vectors of the Random123 distribution (kat_vectors, philox4x32 10 rounds).
TEST(Philox, KnownAnswers) {
  const std::array<uint32_t, 4> zeros = {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8};
  EXPECT_EQ(Philox(0, 0).words(0), zeros);
  const std::array<uint32_t, 4> ones = {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd};
  EXPECT_EQ(Philox(~uint64_t{0}, ~uint64_t{0}).words(~uint64_t{0}), ones);
}

TEST(Philox, UniformAndNormalHaveTheirMoments) {
  const Philox random(7, 3);
  constexpr int kCount = 200000;
  double sum = 0, normal_sum = 0, normal_squares = 0;
  for (int i = 0; i < kCount; ++i) {
    const double u = random.uniform(i);
    ASSERT_GE(u, 0);
    ASSERT_LT(u, 1);
    sum += u;
    const double z = random.normal(i);
    normal_sum += z;
    normal_squares += z * z;
  }
  // Five standard errors each.
  EXPECT_NEAR(sum / kCount, 0.5, 5 * std::sqrt(1.0 / 12 / kCount));
  EXPECT_NEAR(normal_sum / kCount, 0, 5 * std::sqrt(1.0 / kCount));
  EXPECT_NEAR(normal_squares / kCount, 1, 5 * std::sqrt(2.0 / kCount));
}

TEST(Philox, StreamsDiffer) {
  EXPECT_NE(Philox(1, 0).bits64(0), Philox(1, 1).bits64(0));
  EXPECT_NE(Philox(1, 0).bits64(0), Philox(2, 0).bits64(0));
  EXPECT_NE(Philox(1, 0).bits64(0), Philox(1, 0).bits64(1));
}

}  // namespace
}  // namespace anybit
