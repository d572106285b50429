// Each fragment against the formulas of the PTX ISA, written out as they stand there:
// groupID = laneid / 4, threadID_in_group = laneid % 4.
#include "anybit/layout/mma_layouts.h"

#include <gtest/gtest.h>

#include <functional>

namespace anybit::layout {
namespace {

using RowCol = std::function<Dims(int64_t group, int64_t thread, int64_t i)>;

void expect_formula(const RegisterLayout& layout, const Dims& shape, int64_t num_elements,
                    const RowCol& formula) {
  EXPECT_EQ(layout.shape(), shape);
  ASSERT_EQ(layout.num_threads(), 32);
  ASSERT_EQ(layout.local_size(), num_elements);
  for (int64_t lane = 0; lane < 32; ++lane) {
    for (int64_t i = 0; i < num_elements; ++i) {
      EXPECT_EQ(layout.coordinates(lane, i), formula(lane / 4, lane % 4, i))
          << "lane " << lane << " element " << i;
    }
  }
}

MmaFragments fragments(std::string_view name) {
  for (MmaFragments& row : mma_fragments()) {
    if (row.name == name) return row;
  }
  ADD_FAILURE() << "no row " << name;
  return {};
}

TEST(MmaLayouts, M16n8k16Of16Bits) {
  const MmaFragments mma = fragments("m16n8k16");
  expect_formula(mma.a, {16, 16}, 8, [](int64_t group, int64_t thread, int64_t i) {
    const int64_t row = (0 <= i && i < 2) || (4 <= i && i < 6) ? group : group + 8;
    const int64_t col = i < 4 ? thread * 2 + (i & 1) : thread * 2 + (i & 1) + 8;
    return Dims{row, col};
  });
  expect_formula(mma.b, {16, 8}, 4, [](int64_t group, int64_t thread, int64_t i) {
    const int64_t row = i < 2 ? thread * 2 + (i & 1) : thread * 2 + (i & 1) + 8;
    return Dims{row, group};
  });
}

TEST(MmaLayouts, M16n8k32Of8Bits) {
  const MmaFragments mma = fragments("m16n8k32");
  expect_formula(mma.a, {16, 32}, 16, [](int64_t group, int64_t thread, int64_t i) {
    const int64_t row = (0 <= i && i < 4) || (8 <= i && i < 12) ? group : group + 8;
    const int64_t col = i < 8 ? thread * 4 + (i & 3) : thread * 4 + (i & 3) + 16;
    return Dims{row, col};
  });
  expect_formula(mma.b, {32, 8}, 8, [](int64_t group, int64_t thread, int64_t i) {
    const int64_t row = i < 4 ? thread * 4 + (i & 3) : thread * 4 + (i & 3) + 16;
    return Dims{row, group};
  });
}

TEST(MmaLayouts, M16n8k8OfTf32) {
  const MmaFragments mma = fragments("m16n8k8");
  expect_formula(mma.a, {16, 8}, 4, [](int64_t group, int64_t thread, int64_t i) {
    const int64_t row = i == 0 || i == 2 ? group : group + 8;
    const int64_t col = i == 0 || i == 1 ? thread : thread + 4;
    return Dims{row, col};
  });
  expect_formula(mma.b, {8, 8}, 2, [](int64_t group, int64_t thread, int64_t i) {
    return Dims{i == 0 ? thread : thread + 4, group};
  });
}

TEST(MmaLayouts, AccumulatorsOfMmaAreAlike) {
  for (const MmaFragments& mma : mma_fragments()) {
    SCOPED_TRACE(mma.name);
    EXPECT_EQ(mma.k, 256 / mma.operand_bits);
    expect_formula(mma.cd, {mma.m, mma.n}, 4, [](int64_t group, int64_t thread, int64_t i) {
      return Dims{i < 2 ? group : group + 8, thread * 2 + (i & 1)};
    });
  }
}

TEST(MmaLayouts, WgmmaAccumulator) {
  for (int64_t n = 8; n <= 256; n += 8) {
    const RegisterLayout d = wgmma_accumulator(n).value();
    EXPECT_EQ(d.shape(), (Dims{64, n}));
    ASSERT_EQ(d.num_threads(), 128);
    ASSERT_EQ(d.local_size(), n / 2);
    for (int64_t thread = 0; thread < 128; ++thread) {
      const int64_t lane = thread % 32;
      for (int64_t i = 0; i < n / 2; ++i) {
        const int64_t row = thread / 32 * 16 + lane / 4 + i % 4 / 2 * 8;
        const int64_t col = i / 4 * 8 + lane % 4 * 2 + i % 2;
        EXPECT_EQ(d.coordinates(thread, i), (Dims{row, col}));
      }
    }
  }
  for (const int64_t n : {-8, 0, 12, 264}) EXPECT_FALSE(wgmma_accumulator(n).has_value());
}

TEST(MmaLayouts, WgmmaOperandAIsFourWarpsOfMma) {
  for (const MmaFragments& mma : mma_fragments()) {
    const RegisterLayout a = wgmma_operand_a(mma.operand_bits).value();
    EXPECT_EQ(a.shape(), (Dims{64, mma.k}));
    ASSERT_EQ(a.num_threads(), 128);
    for (int64_t thread = 0; thread < 128; ++thread) {
      for (int64_t i = 0; i < a.local_size(); ++i) {
        Dims expected = mma.a.coordinates(thread % 32, i);
        expected[0] += thread / 32 * 16;
        EXPECT_EQ(a.coordinates(thread, i), expected);
      }
    }
  }
  for (const int bits : {0, 4, 12, 64}) EXPECT_FALSE(wgmma_operand_a(bits).has_value());
}

}  // namespace
}  // namespace anybit::layout
