#include "anybit/layout/bank_conflicts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "anybit/layout/mma_layouts.h"
#include "anybit/layout/register_layout_ops.h"

namespace anybit::layout {
namespace {

using ::testing::HasSubstr;

std::vector<int64_t> strided_addresses(int lanes, int64_t stride) {
  std::vector<int64_t> addresses;
  for (int lane = 0; lane < lanes; ++lane) addresses.push_back(lane * stride);
  return addresses;
}

TEST(BankConflicts, CountsWavefrontsOfKnownStrides) {
  // 4 bytes a lane: stride 1 word is free, 2 words two-way, 32 words all in one bank; 33 is free.
  EXPECT_EQ(num_wavefronts(strided_addresses(32, 4), 4), 1);
  EXPECT_EQ(num_wavefronts(strided_addresses(32, 8), 4), 2);
  EXPECT_EQ(num_wavefronts(strided_addresses(32, 128), 4), 32);
  EXPECT_EQ(num_wavefronts(strided_addresses(32, 132), 4), 1);
  EXPECT_EQ(num_wavefronts(strided_addresses(32, 0), 4), 1);  // Broadcast.
  EXPECT_EQ(num_wavefronts(strided_addresses(32, 1), 1), 1);  // Four lanes share a word.
  // Wide vectors are served in phases of 128 bytes.
  EXPECT_EQ(num_wavefronts(strided_addresses(32, 8), 8), 2);
  EXPECT_EQ(num_wavefronts(strided_addresses(32, 16), 16), 4);
  EXPECT_EQ(num_bank_conflicts(strided_addresses(32, 16), 16), 0);
  EXPECT_EQ(num_bank_conflicts(strided_addresses(32, 128), 16), 28);
  EXPECT_EQ(num_bank_conflicts(strided_addresses(8, 128), 16), 7);
  EXPECT_EQ(num_bank_conflicts({}, 16), 0);
}

/// The rows of one 8 x 16 byte matrix of ldmatrix: 8 consecutive rows at one column.
WarpAccess matrix_rows(const Dims& first, int row_dim) {
  WarpAccess access{.coords = {}, .width_bytes = 16};
  for (int64_t r = 0; r < 8; ++r) {
    access.coords.push_back(first);
    access.coords.back()[row_dim] += r;
  }
  return access;
}

TEST(BankConflicts, SwizzledRowsServeLdmatrixEverywhere) {
  for (const int bits : {1, 2, 4, 8, 16, 32, 64}) {
    const int64_t chunk = 128 / bits;
    for (const int64_t chunks : {1, 2, 3, 4, 6, 8, 12, 16, 24}) {
      for (const int64_t rows : {8, 12, 64}) {
        const SharedLayout layout = row_major_swizzled({rows, chunks * chunk}, bits).value();
        for (int64_t r = 0; r + 8 <= rows; ++r) {
          for (int64_t c = 0; c < chunks; ++c) {
            ASSERT_EQ(bank_conflicts(layout, bits, matrix_rows({r, c * chunk}, 0)).value(), 0)
                << to_string(layout) << " row " << r << " chunk " << c;
          }
        }
      }
    }
  }
}

TEST(BankConflicts, PlainRowsConflict) {
  EXPECT_EQ(bank_conflicts(row_major({64, 64}), 16, matrix_rows({0, 0}, 0)).value(), 7);
  EXPECT_EQ(bank_conflicts(row_major({64, 32}), 16, matrix_rows({0, 0}, 0)).value(), 3);
}

TEST(BankConflicts, StagesOfSwizzledRowsServeLdmatrixToo) {
  const SharedLayout stages = row_major_swizzled({3, 12, 64}, 16).value();
  for (int64_t s = 0; s < 3; ++s) {
    for (int64_t r = 0; r + 8 <= 12; ++r) {
      EXPECT_EQ(bank_conflicts(stages, 16, matrix_rows({s, r, 8}, 1)).value(), 0);
    }
  }
}

TEST(BankConflicts, WarpAccessesCoverTheTileOnce) {
  const RegisterLayout tile = coalesced({64, 64}, 128, 8).value();
  const std::vector<WarpAccess> accesses = warp_accesses(tile, 16, 8).value();
  ASSERT_EQ(accesses.size(), 4U * 4U);
  std::vector<int> count(64 * 64, 0);
  for (const WarpAccess& access : accesses) {
    EXPECT_EQ(access.width_bytes, 16);
    ASSERT_EQ(access.coords.size(), 32U);
    for (const Dims& x : access.coords) {
      for (int64_t v = 0; v < 8; ++v) ++count[static_cast<size_t>(x[0] * 64 + x[1] + v)];
    }
  }
  EXPECT_THAT(count, ::testing::Each(1));
  EXPECT_FALSE(warp_accesses(tile, 16, 16).has_value());
  EXPECT_FALSE(warp_accesses(tile, 16, 0).has_value());
  EXPECT_FALSE(warp_accesses(tile, 3, 8).has_value());
  EXPECT_FALSE(warp_accesses(tile, 0, 8).has_value());
}

TEST(BankConflicts, ChoosesASwizzleForWritesByRowsAndReadsByMatrices) {
  const SharedLayout plain = row_major({64, 64});
  const RegisterLayout rows = coalesced({64, 64}, 128, 8).value();
  const RegisterLayout matrices = spatial({4, 1}) * local({2, 8}) * spatial({8, 4}) * local({1, 2});
  const TileTraffic traffic[] = {{&rows, {64, 1}}, {&matrices, {64, 1}}};
  const SwizzleChoice choice = choose_swizzle(traffic, 16, 64 * 64);
  EXPECT_EQ(choice.swizzle, (Swizzle{3, 3, 3}));
  const SharedLayout chosen = plain.with_swizzle(choice.swizzle).value();
  std::vector<WarpAccess> accesses = warp_accesses(rows, 16, 8).value();
  for (int64_t r = 0; r < 64; r += 8) {
    for (int64_t c = 0; c < 64; c += 8) accesses.push_back(matrix_rows({r, c}, 0));
  }
  for (const WarpAccess& access : accesses) {
    EXPECT_EQ(bank_conflicts(chosen, 16, access).value(), 0);
  }
  // 32 elements a thread of 2 bytes are 4 vectors of 4 wavefronts, and 16 words of 1.
  EXPECT_EQ(choice.wavefronts, 4 * 4 + 16);
}

TEST(BankConflicts, ChoosesNoSwizzleWhereNoneIsNeeded) {
  const RegisterLayout rows = coalesced({64, 64}, 128, 8).value();
  const TileTraffic traffic[] = {{&rows, {64, 1}}};
  EXPECT_EQ(choose_swizzle(traffic, 16, 64 * 64).swizzle, Swizzle{});
  EXPECT_EQ(choose_swizzle(traffic, 3, 64 * 64).swizzle, Swizzle{});
  EXPECT_EQ(choose_swizzle({}, 16, 64 * 64).swizzle, Swizzle{});
}

TEST(BankConflicts, TransposesOf32BitTilesHaveASwizzle) {
  const RegisterLayout rows = spatial({32, 32}), columns = column_spatial({32, 32});
  const SharedLayout plain = row_major({32, 32});
  std::vector<WarpAccess> accesses = warp_accesses(rows, 32, 1).value();
  const auto others = warp_accesses(columns, 32, 1).value();
  accesses.insert(accesses.end(), others.begin(), others.end());
  EXPECT_EQ(bank_conflicts(plain, 32, accesses.back()).value(), 31);
  const TileTraffic traffic[] = {{&rows, {32, 1}}, {&columns, {32, 1}}};
  const SwizzleChoice choice = choose_swizzle(traffic, 32, 1024);
  EXPECT_EQ(choice.wavefronts, 2);
  const SharedLayout chosen = plain.with_swizzle(choice.swizzle).value();
  for (const WarpAccess& access : accesses) {
    EXPECT_EQ(bank_conflicts(chosen, 32, access).value(), 0);
  }
}

TEST(BankConflicts, WeighsVectorsAgainstConflicts) {
  // A thread a row by vectors of 16 bytes, and a thread two columns by single elements.
  const RegisterLayout wide = spatial({32, 1}) * local({1, 64});
  const RegisterLayout tall = local({32, 2}) * spatial({1, 32});
  const TileTraffic traffic[] = {{&wide, {64, 1}}, {&tall, {64, 1}}};
  const int64_t none = choose_swizzle({traffic, 1}, 16, 32).wavefronts;
  const SwizzleChoice both = choose_swizzle(traffic, 16, 32 * 64);
  const SwizzleChoice alone = choose_swizzle({traffic, 1}, 16, 32 * 64);
  const SwizzleChoice other = choose_swizzle({traffic + 1, 1}, 16, 32 * 64);
  EXPECT_EQ(none, 32 * 8);          // Every row begins in the same bank: 8-fold conflicts.
  EXPECT_EQ(alone.wavefronts, 32);  // 8 vectors of 4.
  EXPECT_EQ(other.wavefronts, 64);  // 64 accesses of 2 bytes.
  EXPECT_EQ(both.wavefronts, 96);
}

TEST(BankConflicts, RefusesWhatIsNoAccess) {
  const SharedLayout tile = row_major({8, 8});
  const auto error = [&](WarpAccess access, int bits) {
    const auto conflicts = bank_conflicts(tile, bits, access);
    return conflicts ? std::string("no error") : conflicts.error().message;
  };
  EXPECT_THAT(error({{{8, 0}}, 4}, 16), HasSubstr("[8,0] is outside the tile [8,8]"));
  EXPECT_THAT(error({{{0}}, 4}, 16), HasSubstr("outside"));
  EXPECT_THAT(error({{{0, -1}}, 4}, 16), HasSubstr("outside"));
  EXPECT_THAT(error({{{0, 1}}, 4}, 16), HasSubstr("not aligned"));
  EXPECT_THAT(error({{{0, 0}}, 3}, 16), HasSubstr("no access of 3 bytes"));
  EXPECT_THAT(error({{{0, 0}}, 4}, 0), HasSubstr("elements of 0 bits"));
}

}  // namespace
}  // namespace anybit::layout
