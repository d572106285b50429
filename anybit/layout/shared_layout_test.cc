#include "anybit/layout/shared_layout.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <set>
#include <string>
#include <vector>

#include "tests/support/property.h"

namespace anybit::layout {
namespace {

using anybit::testing::check_property;
using anybit::testing::Choices;
using ::testing::HasSubstr;

constexpr int kCases = 6000;

std::string error_of(const Result<SharedLayout>& result) {
  return result ? std::string("no error") : result.error().message;
}

/// A layout of up to 4 modes without holes between some and with holes between others, swizzled or
/// not, at some base offset.
SharedLayout random_layout(Choices& choices) {
  Dims shape = Dims::filled(choices.between(1, 3), 1);
  std::vector<SharedMode> modes;
  int64_t stride = 1;
  for (int i = choices.between(0, 4); i > 0; --i) {
    const SharedMode mode{choices.between(1, 4), choices.below(shape.size()), stride};
    shape[mode.dim] *= mode.extent;
    modes.insert(choices.below(4) == 0 ? modes.end() : modes.begin(), mode);
    stride *= mode.extent;
    if (choices.below(4) == 0) stride += choices.between(1, 5);
  }
  Swizzle swizzle;
  if (choices.flip()) {
    swizzle.base = choices.below(4);
    swizzle.bits = choices.below(4);
    swizzle.shift = choices.between(swizzle.bits, 5);
  }
  const int64_t base_offset = choices.flip() ? choices.below(100) : 0;
  return SharedLayout::make(shape, modes, swizzle, base_offset).value();
}

std::vector<int64_t> offsets_of(const SharedLayout& layout) {
  std::vector<int64_t> offsets;
  for (int64_t i = 0; i < num_elements(layout.shape()); ++i) {
    offsets.push_back(layout.offset(unravel(i, layout.shape())));
  }
  return offsets;
}

TEST(SharedLayout, RowAndColumnMajorOffsets) {
  for (int64_t i = 0; i < 3; ++i) {
    for (int64_t j = 0; j < 5; ++j) {
      EXPECT_EQ(row_major({3, 5}).offset({i, j}), 5 * i + j);
      EXPECT_EQ(column_major({3, 5}).offset({i, j}), i + 3 * j);
      EXPECT_EQ(strided({3, 5}, {7, 1}).value().offset({i, j}), 7 * i + j);
    }
  }
  EXPECT_EQ(row_major({3, 5}).size_elements(), 15);
  EXPECT_EQ(strided({3, 5}, {7, 1}).value().size_elements(), 19);
  EXPECT_EQ(row_major({}).size_elements(), 1);
  EXPECT_FALSE(strided({4}, {0}).value().is_injective());
}

TEST(SharedLayout, SwizzleByItsDefinition) {
  const Swizzle swizzle{3, 3, 3};
  for (int64_t offset = 0; offset < 4096; ++offset) {
    const int64_t chunk = offset / 8 % 8;
    const int64_t row = offset / 64 % 8;
    EXPECT_EQ(swizzle.apply(offset), offset / 64 * 64 + (chunk ^ row) * 8 + offset % 8);
  }
}

TEST(SharedLayout, EverySwizzlePermutesEachBlock) {
  for (int base = 0; base < 4; ++base) {
    for (int bits = 0; bits < 4; ++bits) {
      for (int shift = bits; shift < 6; ++shift) {
        const Swizzle swizzle{base, bits, shift};
        std::set<int64_t> seen;
        for (int64_t offset = 0; offset < 2048; ++offset) {
          const int64_t swizzled = swizzle.apply(offset);
          EXPECT_EQ(swizzled / swizzle.block(), offset / swizzle.block());
          EXPECT_EQ(swizzle.apply(swizzled), offset);
          seen.insert(swizzled);
        }
        EXPECT_EQ(seen.size(), 2048U);
      }
    }
  }
}

TEST(SharedLayout, OffsetsStayWithinTheSizeAndApart) {
  check_property(kCases, [](Choices& choices) {
    const SharedLayout layout = random_layout(choices);
    std::vector<int64_t> offsets = offsets_of(layout);
    for (const int64_t offset : offsets) RC_ASSERT(offset >= 0 && offset < layout.size_elements());
    RC_ASSERT(layout.size_elements() % layout.swizzle().block() == 0);
    const std::set<int64_t> distinct(offsets.begin(), offsets.end());
    RC_ASSERT(layout.is_injective() == (distinct.size() == offsets.size()));
    const SharedLayout plain = layout.with_swizzle({}).value();
    for (int64_t i = 0; i < num_elements(layout.shape()); ++i) {
      const Dims x = unravel(i, layout.shape());
      RC_ASSERT(layout.offset(x) == layout.swizzle().apply(plain.offset(x)));
      RC_ASSERT(plain.offset(x) == layout.base_offset() + layout.linear_offset(x));
    }
  });
}

TEST(SharedLayout, EqualIffOffsetsOfPlainLayoutsAreEqual) {
  check_property(kCases, [](Choices& choices) {
    const SharedLayout a = random_layout(choices).with_swizzle({}).value();
    const SharedLayout b = random_layout(choices).with_swizzle({}).value();
    RC_ASSERT((a == b) == (a.shape() == b.shape() && offsets_of(a) == offsets_of(b)));
    RC_ASSERT(SharedLayout::make(a.shape(), a.modes(), {}, a.base_offset()).value() == a);
  });
}

TEST(SharedLayout, SliceOffsetsAreThoseOfTheParent) {
  int num_sliced = 0;
  check_property(2 * kCases, [&](Choices& choices) {
    const SharedLayout layout = random_layout(choices);
    Dims offsets;
    Dims extents;
    std::vector<int> dims;
    for (int d = 0; d < layout.rank(); ++d) {
      const auto extent = static_cast<int>(layout.shape()[d]);
      offsets.push_back(choices.below(std::min(extent, 256)));
      if (choices.below(4) == 0) continue;  // Fixed at its offset.
      dims.insert(choices.flip() ? dims.begin() : dims.end(), d);
    }
    for (const int d : dims) {
      const auto rest = static_cast<int>(layout.shape()[d] - offsets[d]);
      extents.push_back(choices.between(1, std::min(rest, 255)));
    }
    const auto slice = layout.slice(offsets, dims, extents);
    if (!slice) return;
    num_sliced += num_elements(extents) > 1;
    RC_ASSERT(slice->shape() == extents);
    for (int64_t i = 0; i < num_elements(extents); ++i) {
      const Dims y = unravel(i, extents);
      Dims x = offsets;
      for (int k = 0; k < y.size(); ++k) x[dims[static_cast<size_t>(k)]] += y[k];
      RC_ASSERT(slice->offset(y) == layout.offset(x));
    }
  });
  EXPECT_GT(num_sliced, kCases / 4);
}

TEST(SharedLayout, SlicesOfPlainDimensionsAlwaysExist) {
  const SharedLayout tile = row_major_swizzled({4, 16, 32}, 16).value();
  for (int64_t s = 0; s < 4; ++s) {
    for (int64_t r = 0; r < 12; ++r) {
      const int dims[] = {1, 2};
      const SharedLayout slice = tile.slice({s, r, 8}, dims, {5, 24}).value();
      for (int64_t i = 0; i < 5; ++i) {
        for (int64_t j = 0; j < 24; ++j) {
          EXPECT_EQ(slice.offset({i, j}), tile.offset({s, r + i, 8 + j}));
        }
      }
    }
  }
}

TEST(SharedLayout, SliceErrors) {
  const SharedLayout tile = row_major({4, 8});
  const int both[] = {0, 1};
  const int twice[] = {0, 0};
  const int third[] = {2, 0};
  EXPECT_THAT(error_of(tile.slice({1, 0}, both, {4, 8})),
              HasSubstr("no slice of 4 elements from 1"));
  EXPECT_THAT(error_of(tile.slice({-1, 0}, both, {4, 8})), HasSubstr("from -1"));
  EXPECT_THAT(error_of(tile.slice({0, 0}, both, {0, 8})), HasSubstr("no slice of 0"));
  EXPECT_THAT(error_of(tile.slice({0}, both, {4, 8})), HasSubstr("needs 2 offsets"));
  EXPECT_THAT(error_of(tile.slice({0, 0}, both, {4})), HasSubstr("as many extents"));
  EXPECT_THAT(error_of(tile.slice({0, 0}, twice, {4, 4})), HasSubstr("dimension 0 wrongly"));
  EXPECT_THAT(error_of(tile.slice({0, 0}, third, {4, 4})), HasSubstr("dimension 2 wrongly"));
  const SharedLayout cut =
      SharedLayout::make(Dims{8}, std::vector<SharedMode>{{2, 0, 100}, {4, 0, 1}}).value();
  const int only[] = {0};
  EXPECT_THAT(error_of(cut.slice({2}, only, {4})), HasSubstr("cuts across the modes"));
  EXPECT_EQ(cut.slice({4}, only, {4}).value().offset({3}), 103);
}

TEST(SharedLayout, PermuteKeepsOffsets) {
  check_property(kCases, [](Choices& choices) {
    const SharedLayout layout = random_layout(choices);
    std::vector<int> order(static_cast<size_t>(layout.rank()));
    std::iota(order.begin(), order.end(), 0);
    for (size_t i = order.size(); i > 1; --i) {
      std::swap(order[i - 1], order[static_cast<size_t>(choices.below(static_cast<int>(i)))]);
    }
    const SharedLayout permuted = layout.permute(order).value();
    for (int64_t i = 0; i < num_elements(layout.shape()); ++i) {
      const Dims x = unravel(i, layout.shape());
      Dims y = x;
      for (int d = 0; d < x.size(); ++d) y[d] = x[order[static_cast<size_t>(d)]];
      RC_ASSERT(permuted.offset(y) == layout.offset(x));
    }
  });
  const int bad[] = {0, 0};
  const int few[] = {1};
  EXPECT_FALSE(row_major({2, 2}).permute(bad).has_value());
  EXPECT_THAT(error_of(row_major({2, 2}).permute(few)), HasSubstr("1 of 2 dimensions"));
}

TEST(SharedLayout, ReshapeKeepsRowMajorOrder) {
  int num_reshaped = 0;
  check_property(kCases, [&](Choices& choices) {
    const SharedLayout layout = random_layout(choices);
    Dims shape = Dims::filled(choices.between(1, 4), 1);
    int64_t left = num_elements(layout.shape());
    for (const int64_t prime : {2, 3}) {
      for (; left % prime == 0; left /= prime) shape[choices.below(shape.size())] *= prime;
    }
    const auto reshaped = layout.reshape(shape);
    if (!reshaped) return;
    ++num_reshaped;
    RC_ASSERT(reshaped->shape() == shape);
    RC_ASSERT(offsets_of(*reshaped) == offsets_of(layout));
    RC_ASSERT(reshaped->reshape(layout.shape()).value() == layout);
  });
  EXPECT_GT(num_reshaped, kCases / 4);
  // The peer's case 10.
  EXPECT_EQ(row_major({12}).reshape({3, 4}).value(), row_major({3, 4}));
  EXPECT_THAT(error_of(column_major({3, 4}).reshape({4, 3})), HasSubstr("does not split"));
  EXPECT_THAT(error_of(row_major({12}).reshape({5})), HasSubstr("12 and 5 elements"));
}

TEST(SharedLayout, MakeNamesWhatIsWrong) {
  const auto error = [](const Dims& shape, std::vector<SharedMode> modes, Swizzle swizzle = {},
                        int64_t base = 0) {
    return error_of(SharedLayout::make(shape, modes, swizzle, base));
  };
  EXPECT_THAT(error({4}, {{2, 0, 1}}), HasSubstr("dimension 0 have product 2, the shape says 4"));
  EXPECT_THAT(error({4}, {{8, 0, 1}}), HasSubstr("mode 0 has extent 8"));
  EXPECT_THAT(error({4}, {{0, 0, 1}}), HasSubstr("mode 0 has extent 0"));
  EXPECT_THAT(error({4}, {{4, 1, 1}}), HasSubstr("mode 0 is of dimension 1"));
  EXPECT_THAT(error({4}, {{4, 0, -1}}), HasSubstr("mode 0 has stride -1"));
  EXPECT_THAT(error({4}, {{4, 0, int64_t{1} << 31}}), HasSubstr("mode 0 has stride 2147483648"));
  EXPECT_THAT(error({4}, {{4, 0, 1}}, {}, -1), HasSubstr("found -1"));
  EXPECT_THAT(error({4}, {{4, 0, 1}}, {}, int64_t{1} << 31), HasSubstr("base offset"));
  EXPECT_THAT(error({4}, {{4, 0, 1}}, {0, 3, 2}), HasSubstr("found (0,3,2)"));
  EXPECT_THAT(error({4}, {{4, 0, 1}}, {-1, 3, 3}), HasSubstr("found (-1,3,3)"));
  EXPECT_THAT(error({4}, {{4, 0, 1}}, {20, 6, 6}), HasSubstr("found (20,6,6)"));
  EXPECT_THAT(error({0}, {}), HasSubstr("at least 1"));
  EXPECT_THAT(error_of(strided({4, 4}, {1})), HasSubstr("differ in rank"));
}

TEST(SharedLayout, SwizzledRowsAreAPermutationOfTheTile) {
  for (const int bits : {8, 16, 32}) {
    const SharedLayout tile = row_major_swizzled({2, 24, 1024 / bits * 3}, bits).value();
    const std::vector<int64_t> offsets = offsets_of(tile);
    const std::set<int64_t> distinct(offsets.begin(), offsets.end());
    EXPECT_EQ(distinct.size(), offsets.size());
    EXPECT_EQ(*distinct.rbegin(), static_cast<int64_t>(offsets.size()) - 1);
    EXPECT_EQ(tile.size_elements(), static_cast<int64_t>(offsets.size()));
  }
  EXPECT_THAT(error_of(row_major_swizzled({8, 4}, 16)), HasSubstr("multiple of 16 bytes"));
  EXPECT_THAT(error_of(row_major_swizzled({8, 64}, 3)), HasSubstr("found 3"));
  EXPECT_THAT(error_of(row_major_swizzled({8, 64}, 0)), HasSubstr("found 0"));
  EXPECT_THAT(error_of(row_major_swizzled({}, 8)), HasSubstr("multiple of 16 bytes"));
}

TEST(SharedLayoutText, PrintedLayoutsParseToThemselves) {
  check_property(2 * kCases, [](Choices& choices) {
    const SharedLayout layout = random_layout(choices);
    const std::string text = to_string(layout);
    const auto again = parse_shared_layout(text);
    RC_ASSERT(again.has_value());
    RC_ASSERT(*again == layout);
    RC_ASSERT(to_string(*again) == text);
  });
}

TEST(SharedLayoutText, PrintsWellKnownLayoutsAsWritten) {
  for (const char* text : {
           "row_major()",
           "row_major(64,32)",
           "column_major(64,32)",
           "strided([64,32],[33,1])",
           "row_major(64,64).swizzle(3,3,3)",
           "strided([4,4],[8,1]).offset(5).swizzle(2,1,1)",
           "{shape=[8] modes=[2x0:100,4x0:1]}",
       }) {
    const auto layout = parse_shared_layout(text);
    ASSERT_TRUE(layout.has_value()) << layout.error().message;
    EXPECT_EQ(to_string(*layout), text);
  }
}

TEST(SharedLayoutText, ErrorsGiveColumnExpectedAndFound) {
  struct Case {
    const char* text;
    const char* message;
  };
  const Case cases[] = {
      {"", "column 1: expected row_major, column_major, strided or '{', found the end"},
      {"row_major(4", "column 12: expected ')', found the end"},
      {"row_major(0)", "column 1: dimension 0 must be at least 1, found 0"},
      {"row_major(4) x", "column 14: expected '.offset', '.swizzle' or the end, found 'x'"},
      {"strided([4,4],[1])", "column 1: shape [4,4] and strides [1] differ in rank"},
      {"row_major(4).swizzle(1,2)", "column 21: expected base, bits and shift, found '(1,2)'"},
      {"row_major(4).swizzle(1,99,2)", "column 21: expected numbers up to 31, found '(1,99,2)'"},
      {"row_major(4).offset()", "column 20: expected one number, found '()'"},
      {"{shape=[4] modes=[4x0]}", "column 22: expected ':', found ']}'"},
  };
  for (const Case& c : cases) EXPECT_EQ(error_of(parse_shared_layout(c.text)), c.message);
  EXPECT_THAT(error_of(parse_shared_layout("row_major(4).swizzle(0,3,2)")),
              HasSubstr("column 21: a swizzle has"));
}

}  // namespace
}  // namespace anybit::layout
