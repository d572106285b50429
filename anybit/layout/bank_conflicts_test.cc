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
  std::vector<WarpAccess> accesses =
      warp_accesses(coalesced({64, 64}, 128, 8).value(), 16, 8).value();
  for (int64_t r = 0; r < 64; r += 8) {
    for (int64_t c = 0; c < 64; c += 8) accesses.push_back(matrix_rows({r, c}, 0));
  }
  const Swizzle swizzle = choose_swizzle(plain, 16, accesses).value();
  EXPECT_EQ(swizzle, (Swizzle{3, 3, 3}));
  const SharedLayout chosen = plain.with_swizzle(swizzle).value();
  for (const WarpAccess& access : accesses) {
    EXPECT_EQ(bank_conflicts(chosen, 16, access).value(), 0);
  }
}

TEST(BankConflicts, ChoosesNoSwizzleWhereNoneIsNeeded) {
  const auto accesses = warp_accesses(coalesced({64, 64}, 128, 8).value(), 16, 8).value();
  EXPECT_EQ(choose_swizzle(row_major({64, 64}), 16, accesses).value(), Swizzle{});
}

TEST(BankConflicts, TransposesOf32BitTilesHaveASwizzle) {
  std::vector<WarpAccess> accesses = warp_accesses(spatial({32, 32}), 32, 1).value();
  const auto columns = warp_accesses(column_spatial({32, 32}), 32, 1).value();
  accesses.insert(accesses.end(), columns.begin(), columns.end());
  const SharedLayout plain = row_major({32, 32});
  EXPECT_EQ(bank_conflicts(plain, 32, accesses.back()).value(), 31);
  const SharedLayout chosen =
      plain.with_swizzle(choose_swizzle(plain, 32, accesses).value()).value();
  for (const WarpAccess& access : accesses) {
    EXPECT_EQ(bank_conflicts(chosen, 32, access).value(), 0);
  }
}

TEST(BankConflicts, SaysWhereNoSwizzleHelps) {
  // 32 rows at one column need 32 different banks, but a swizzle that keeps vectors of 16 bytes
  // whole offers a row only 8 places.
  WarpAccess same_word_bank{.coords = {}, .width_bytes = 4};
  for (int64_t lane = 0; lane < 32; ++lane) same_word_bank.coords.push_back({lane, 0});
  const WarpAccess vectors = matrix_rows({0, 0}, 0);
  const WarpAccess both[] = {same_word_bank, vectors};
  const auto none = choose_swizzle(row_major({32, 64}), 16, both);
  ASSERT_FALSE(none.has_value());
  EXPECT_EQ(none.error().code, ErrorCode::kNotFound);
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
  const WarpAccess misaligned[] = {{{{0, 1}}, 4}};
  EXPECT_EQ(choose_swizzle(tile, 16, misaligned).error().code, ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace anybit::layout
