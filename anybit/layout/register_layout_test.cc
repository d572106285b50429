#include "anybit/layout/register_layout.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "tests/support/property.h"
#include "tests/support/random_layout.h"

namespace anybit::layout {
namespace {

using anybit::testing::check_property;
using anybit::testing::Choices;
using anybit::testing::random_layout;
using ::testing::HasSubstr;

constexpr int kCases = 8000;

std::string error_of(const Result<RegisterLayout>& result) {
  return result ? std::string("no error") : result.error().message;
}

RegisterLayout made(const Dims& shape, const ModeLists& lists) {
  return RegisterLayout::make(shape, lists).value();
}

TEST(RegisterLayout, ScalarHasOneThreadAndOneElement) {
  const RegisterLayout scalar;
  EXPECT_EQ(scalar.shape(), Dims{});
  EXPECT_EQ(scalar.size(), 1);
  EXPECT_EQ(scalar.num_threads(), 1);
  EXPECT_EQ(scalar.local_size(), 1);
  EXPECT_EQ(scalar.coordinates(0, 0), Dims{});
  EXPECT_EQ(scalar, spatial({}));
  EXPECT_EQ(scalar, local({}));
}

TEST(RegisterLayout, AtomsMeanWhatTheirNamesSay) {
  for (int64_t i = 0; i < 8; ++i) {
    EXPECT_EQ(spatial({2, 4}).coordinates(i, 0), (Dims{i / 4, i % 4}));
    EXPECT_EQ(local({2, 4}).coordinates(0, i), (Dims{i / 4, i % 4}));
    EXPECT_EQ(column_spatial({2, 4}).coordinates(i, 0), (Dims{i % 2, i / 2}));
    EXPECT_EQ(column_local({2, 4}).coordinates(0, i), (Dims{i % 2, i / 2}));
    EXPECT_EQ(replicated(8, 2).coordinates(i, 0), (Dims{0, 0}));
  }
  EXPECT_EQ(spatial({2, 4}).num_threads(), 8);
  EXPECT_EQ(local({2, 4}).local_size(), 8);
  EXPECT_EQ(replicated(8, 2).replication(), 8);
  EXPECT_EQ(replicated(8, 2).shape(), (Dims{1, 1}));
}

TEST(RegisterLayout, TheMmaAccumulatorFromItsModes) {
  const RegisterLayout c = made({16, 8}, {{{2, 0}, {8, 0}, {4, 1}, {2, 1}}, {1, 2}, {0, 3}});
  EXPECT_EQ(c.num_threads(), 32);
  EXPECT_EQ(c.local_size(), 4);
  for (int64_t lane = 0; lane < 32; ++lane) {
    for (int64_t i = 0; i < 4; ++i) {
      EXPECT_EQ(c.coordinates(lane, i), (Dims{lane / 4 + i / 2 * 8, lane % 4 * 2 + i % 2}));
    }
  }
}

TEST(RegisterLayout, NormalFormMergesNeighboursAndKeepsOrder) {
  // Case 8 of the peer: modes [2,3] in order become [6]; in the order (1,0) they stay.
  EXPECT_EQ(made({6}, {{{2, 0}, {3, 0}}, {0, 1}, {}}), spatial({6}));
  const RegisterLayout swapped = made({6}, {{{2, 0}, {3, 0}}, {1, 0}, {}});
  EXPECT_EQ(swapped.thread_digits().size(), 2U);
  EXPECT_NE(swapped, spatial({6}));
  // (2,4) merges as (2,3) does.
  EXPECT_EQ(made({8}, {{{2, 0}, {4, 0}}, {}, {0, 1}}), local({8}));
  // Adjacent replications are one; separated ones are not.
  EXPECT_EQ(made({}, {{}, {-2, -3}, {}}), replicated(6));
  EXPECT_NE(made({2}, {{{2, 0}}, {-2, 0, -3}, {}}), made({2}, {{{2, 0}}, {-6, 0}, {}}));
  // Modes and replications of extent 1 vanish.
  EXPECT_EQ(made({4}, {{{1, 0}, {4, 0}}, {-1, 1, 0}, {}}), spatial({4}));
}

TEST(RegisterLayout, MakeNamesWhatIsWrong) {
  struct Case {
    Dims shape;
    ModeLists lists;
    const char* message;
  };
  const Case cases[] = {
      {{4}, {{{2, 0}, {2, 0}}, {0}, {}}, "mode 1 is in neither list"},
      {{4}, {{{2, 0}, {2, 0}}, {0, 1}, {1}}, "mode 1 is listed more than once"},
      {{4}, {{{4, 0}}, {0, 1}, {}}, "there is no mode 1: there are 1"},
      {{8}, {{{4, 0}}, {0}, {}}, "the modes of dimension 0 have product 4, the shape says 8"},
      {{4}, {{{8, 0}}, {0}, {}}, "mode 0 has extent 8, which dimension 0 of extent 4"},
      {{4}, {{{4, 0}, {0, 0}}, {0}, {1}}, "mode 1 has extent 0"},
      {{4}, {{{4, 1}}, {0}, {}}, "mode 0 is of dimension 1, the shape has 1"},
      {{4}, {{{4, -1}}, {0}, {}}, "mode 0 is of dimension -1"},
      {{4}, {{{4, 0}}, {}, {0, -2}}, "local list: only threads can be replicated"},
      {{0}, {{}, {}, {}}, "dimension 0 must be at least 1, found 0"},
      {{int64_t{1} << 31, 2}, {{}, {}, {}}, "at most 2147483648 elements"},
      {{4}, {{{4, 0}}, {-(int64_t{1} << 31), 0}, {}}, "thread list: its extents exceed"},
      {{}, {{}, {INT64_MIN}, {}}, "replication is at most"},
  };
  for (const Case& c : cases) {
    EXPECT_THAT(error_of(RegisterLayout::make(c.shape, c.lists)), HasSubstr(c.message));
  }
  const std::vector<int64_t> nine(9, 1);
  EXPECT_THAT(error_of(RegisterLayout::make(nine, {}, {}, {})), HasSubstr("at most 8 dimensions"));
}

TEST(RegisterLayout, FromDigitsRefusesWhatIsNoLayout) {
  struct Case {
    std::vector<Digit> threads, locals;
    const char* message;
  };
  const Case cases[] = {
      {{{4, 0, 1}}, {{2, 0, 2}}, "expected a digit of stride 4, found stride 2"},
      {{{4, 0, 1}}, {}, "its digits cover 4 of 8 coordinates"},
      {{{8, 0, 1}}, {{2, 0, 8}}, "its digits cover 16 of 8 coordinates"},
      {{{4, 0, 2}}, {}, "expected a digit of stride 1, found stride 2"},
      {{{8, 0, 0}}, {}, "found stride 0, expected 1 or more"},
      {{{8, 0, INT64_MAX}}, {}, "expected 1"},
      {{{8, 1, 1}}, {}, "there is no dimension 1"},
      {{{8, -2, 1}}, {}, "there is no dimension -2"},
      {{{0, 0, 1}}, {}, "extents are at least 1, found 0"},
      {{{8, 0, 1}}, {{2, -1, 0}}, "only threads can be replicated"},
  };
  for (const Case& c : cases) {
    EXPECT_THAT(error_of(RegisterLayout::from_digits(Dims{8}, c.threads, c.locals)),
                HasSubstr(c.message));
  }
}

TEST(RegisterLayout, EveryElementIsHeldReplicationTimes) {
  check_property(kCases, [](Choices& choices) {
    const RegisterLayout layout = random_layout(choices);
    RC_ASSERT(layout.num_threads() * layout.local_size() == layout.size() * layout.replication());
    std::vector<int64_t> count(static_cast<size_t>(layout.size()), 0);
    for (int64_t t = 0; t < layout.num_threads(); ++t) {
      std::set<int64_t> mine;
      for (int64_t e = 0; e < layout.local_size(); ++e) {
        const int64_t x = layout.linear_index(t, e);
        RC_ASSERT(x == ravel(layout.coordinates(t, e), layout.shape()));
        RC_ASSERT(mine.insert(x).second);
        ++count[static_cast<size_t>(x)];
      }
    }
    for (const int64_t times : count) RC_ASSERT(times == layout.replication());
  });
}

TEST(RegisterLayout, PlacesAndHoldersInvertTheMap) {
  check_property(kCases, [](Choices& choices) {
    const RegisterLayout layout = random_layout(choices);
    std::vector<std::vector<int64_t>> holders(static_cast<size_t>(layout.size()));
    for (int64_t t = 0; t < layout.num_threads(); ++t) {
      for (int64_t e = 0; e < layout.local_size(); ++e) {
        const int64_t x = layout.linear_index(t, e);
        RC_ASSERT(layout.local_index(unravel(x, layout.shape())) == e);
        RC_ASSERT(layout.locate(x).local == e);
        holders[static_cast<size_t>(x)].push_back(t);
      }
    }
    for (int64_t x = 0; x < layout.size(); ++x) {
      const std::vector<int64_t>& expected = holders[static_cast<size_t>(x)];
      RC_ASSERT(layout.holders(unravel(x, layout.shape())) == expected);
      RC_ASSERT(layout.locate(x).thread == expected.front());
      for (int64_t t = 0; t < layout.num_threads(); ++t) {
        RC_ASSERT(layout.holds(t, x) == std::ranges::binary_search(expected, t));
      }
    }
  });
}

TEST(RegisterLayout, OffsetTablesAreTheOffsets) {
  check_property(kCases, [](Choices& choices) {
    const RegisterLayout layout = random_layout(choices);
    const std::vector<int64_t> threads = layout.thread_offsets();
    const std::vector<int64_t> locals = layout.local_offsets();
    RC_ASSERT(static_cast<int64_t>(threads.size()) == layout.num_threads());
    RC_ASSERT(static_cast<int64_t>(locals.size()) == layout.local_size());
    for (int64_t t = 0; t < layout.num_threads(); ++t) {
      RC_ASSERT(threads[static_cast<size_t>(t)] == layout.thread_offset(t));
    }
    for (int64_t e = 0; e < layout.local_size(); ++e) {
      RC_ASSERT(locals[static_cast<size_t>(e)] == layout.local_offset(e));
    }
  });
}

TEST(RegisterLayout, ModeListsMakeTheLayoutAgain) {
  check_property(kCases, [](Choices& choices) {
    const RegisterLayout layout = random_layout(choices);
    const ModeLists lists = layout.mode_lists();
    RC_ASSERT(made(layout.shape(), lists) == layout);
    // The normal form is a fixed point: its own lists come back.
    const ModeLists again = made(layout.shape(), lists).mode_lists();
    RC_ASSERT(again.modes == lists.modes);
    RC_ASSERT(again.threads == lists.threads);
    RC_ASSERT(again.locals == lists.locals);
  });
}

/// Everything an observer can see of a layout.
std::vector<int64_t> enumeration(const RegisterLayout& layout) {
  std::vector<int64_t> seen = {layout.num_threads(), layout.local_size()};
  for (int64_t t = 0; t < layout.num_threads(); ++t) {
    for (int64_t e = 0; e < layout.local_size(); ++e) seen.push_back(layout.linear_index(t, e));
  }
  return seen;
}

TEST(RegisterLayout, EqualIffTheMapsAreEqual) {
  check_property(kCases, [](Choices& choices) {
    const RegisterLayout a = random_layout(choices, 1);
    const RegisterLayout b = random_layout(choices, 1);
    const bool is_same = a.shape() == b.shape() && enumeration(a) == enumeration(b);
    RC_ASSERT((a == b) == is_same);
  });
}

/// All ways to write `extent` as an ordered product of factors >= 2.
void factorizations(int64_t extent, std::vector<Mode>& prefix,
                    std::vector<std::vector<Mode>>& found) {
  if (extent == 1) found.push_back(prefix);
  for (int64_t factor = 2; factor <= extent; ++factor) {
    if (extent % factor != 0) continue;
    prefix.push_back({factor, 0});
    factorizations(extent / factor, prefix, found);
    prefix.pop_back();
  }
}

// Every layout of 12 elements in one dimension, with one replication or none: distinct normal forms
// have distinct maps, and equal maps have one normal form.
TEST(RegisterLayout, NormalFormsOfTwelveElementsAreInBijectionWithMaps) {
  std::vector<std::vector<Mode>> all_modes;
  std::vector<Mode> prefix;
  factorizations(12, prefix, all_modes);
  std::vector<RegisterLayout> layouts;
  for (const std::vector<Mode>& modes : all_modes) {
    std::vector<int64_t> entries = {-2};
    for (size_t i = 0; i < modes.size(); ++i) entries.push_back(static_cast<int64_t>(i));
    do {
      for (size_t split = 0; split <= entries.size(); ++split) {
        const auto middle = entries.begin() + static_cast<ptrdiff_t>(split);
        const std::vector<int64_t> threads(entries.begin(), middle);
        std::vector<int64_t> locals(middle, entries.end());
        std::erase(locals, -2);
        layouts.push_back(RegisterLayout::make(Dims{12}, modes, threads, locals).value());
      }
    } while (std::ranges::next_permutation(entries).found);
  }
  ASSERT_GT(layouts.size(), 100U);
  std::vector<std::vector<int64_t>> maps;
  for (const RegisterLayout& layout : layouts) maps.push_back(enumeration(layout));
  for (size_t i = 0; i < layouts.size(); ++i) {
    for (size_t j = 0; j < i; ++j) EXPECT_EQ(layouts[i] == layouts[j], maps[i] == maps[j]);
  }
}

}  // namespace
}  // namespace anybit::layout
