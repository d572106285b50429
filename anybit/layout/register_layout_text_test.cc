#include "anybit/layout/register_layout_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "anybit/layout/register_layout_ops.h"
#include "tests/support/property.h"
#include "tests/support/random_layout.h"

namespace anybit::layout {
namespace {

using anybit::testing::check_property;
using anybit::testing::Choices;
using anybit::testing::random_layout;

std::string error_of(std::string_view text) {
  const auto layout = parse_register_layout(text);
  return layout ? "no error: " + to_string(*layout) : layout.error().message;
}

TEST(RegisterLayoutText, AtomsMultiplyFromLeftToRight) {
  EXPECT_EQ(parse_register_layout("local(2,1).spatial(8,4).local(1,2)").value(),
            local({2, 1}) * spatial({8, 4}) * local({1, 2}));
  EXPECT_EQ(parse_register_layout(" column_local( 2, 2 ) .\n column_spatial(4,8)").value(),
            column_local({2, 2}) * column_spatial({4, 8}));
  EXPECT_EQ(parse_register_layout("replicated(4).local(2)").value(), replicated(4) * local({2}));
  EXPECT_EQ(parse_register_layout("local()").value(), RegisterLayout());
  EXPECT_EQ(parse_register_layout("spatial(2).spatial(1,3)").value(), spatial({1, 6}));
}

TEST(RegisterLayoutText, ListsSayWhatAtomsCannot) {
  EXPECT_EQ(
      parse_register_layout("{shape=[16,8] modes=[2x0,8x0,4x1,2x1] threads=[1,2] local=[0,3]}")
          .value(),
      local({2, 1}) * spatial({8, 4}) * local({1, 2}));
  const auto swapped =
      parse_register_layout("{ shape=[6] modes=[2x0, 3x0] threads=[1,*4,0] local=[] }");
  ASSERT_TRUE(swapped.has_value());
  EXPECT_EQ(swapped->num_threads(), 24);
  EXPECT_EQ(swapped->coordinates(1, 0), Dims{3});
  EXPECT_EQ(swapped->coordinates(8, 0), Dims{1});
  EXPECT_EQ(to_string(*swapped), "{shape=[6] modes=[2x0,3x0] threads=[1,*4,0] local=[]}");
}

TEST(RegisterLayoutText, PrintsWellKnownLayoutsAsWritten) {
  for (const char* text : {
           "local()",
           "local(1,1)",
           "spatial(8,4)",
           "replicated(4)",
           "replicated(4).local(1,1)",
           "column_spatial(4,8)",
           "local(2,1).spatial(8,4).local(1,2)",
           "column_local(2,2).spatial(8,4).local(1,2)",
           "local(2,1).column_spatial(4,8).local(2,1)",
           "spatial(4,1).column_local(2,2).spatial(8,4).local(1,2)",
           "replicated(2).spatial(4,2).local(1,2)",
           "spatial(2).replicated(3).spatial(2)",
       }) {
    const auto layout = parse_register_layout(text);
    ASSERT_TRUE(layout.has_value()) << layout.error().message;
    EXPECT_EQ(to_string(*layout), text);
  }
}

TEST(RegisterLayoutText, PrintedLayoutsParseToThemselves) {
  int num_lists = 0;
  check_property(20000, [&](Choices& choices) {
    RegisterLayout layout = random_layout(choices);
    if (choices.flip()) layout = layout * random_layout(choices);
    const std::string text = to_string(layout);
    const auto again = parse_register_layout(text);
    RC_ASSERT(again.has_value());
    RC_ASSERT(*again == layout);
    RC_ASSERT(to_string(*again) == text);
    if (text[0] == '{') ++num_lists;
  });
  EXPECT_GT(num_lists, 1000);
  EXPECT_LT(num_lists, 15000);
}

TEST(RegisterLayoutText, ProductsOfAtomsPrintAsAtoms) {
  check_property(5000, [](Choices& choices) {
    RegisterLayout layout;
    for (int i = choices.between(1, 4); i > 0; --i) {
      const Dims shape = {choices.between(1, 3), choices.between(1, 3)};
      const RegisterLayout atoms[] = {spatial(shape), local(shape), column_spatial(shape),
                                      column_local(shape), replicated(choices.between(1, 3))};
      layout = layout * atoms[choices.below(5)];
    }
    RC_ASSERT(to_string(layout)[0] != '{');
  });
}

TEST(RegisterLayoutText, ErrorsGiveColumnExpectedAndFound) {
  struct Case {
    const char* text;
    const char* message;
  };
  const Case cases[] = {
      {"",
       "column 1: expected spatial, local, column_spatial, column_local, replicated or '{', "
       "found the end"},
      {"spatial(2).lokal(3)",
       "column 12: expected spatial, local, column_spatial, column_local, replicated or '{', found "
       "'lokal(3)'"},
      {"spatial 2", "column 9: expected '(', found '2'"},
      {"spatial(2,", "column 11: expected a number from 0 to 2147483648, found the end"},
      {"spatial(-2)", "column 9: expected a number from 0 to 2147483648, found '-2)'"},
      {"spatial(99999999999)",
       "column 9: expected a number from 0 to 2147483648, found '99999999999)'"},
      {"spatial(2;3)", "column 10: expected ')', found ';3)'"},
      {"local(2)spatial(2)", "column 9: expected '.', found 'spatial(2)'"},
      {"local(2).",
       "column 10: expected spatial, local, column_spatial, column_local, replicated "
       "or '{', found the end"},
      {"local(1).local(2,0)", "column 10: dimension 1 must be at least 1, found 0"},
      {"local(65536).local(65536)",
       "column 14: a tile has at most 2147483648 elements, found [4294967296]"},
      {"replicated(65536).replicated(65536)",
       "column 19: thread list: its extents exceed 2147483648"},
      {"local(1,1,1,1,1,1,1,1,1)", "column 23: expected at most 8 numbers, found '1)'"},
      {"replicated(0)",
       "column 1: expected replicated with a number of copies, found "
       "'replicated(0)'"},
      {"replicated()",
       "column 1: expected replicated with a number of copies, found "
       "'replicated()'"},
      {"{shape=[4] modes=[4x9] threads=[] local=[]}",
       "column 21: expected less than 8, found '9] threads=[] local=...'"},
      {"{shape=[4] modes=[4x0] threads=[*0] local=[0]}",
       "column 34: expected at least one copy, found '0] local=[0]}'"},
      {"{shape=[4] modes=[4x0] threads=[] local=[]}", "column 1: mode 0 is in neither list"},
      {"{modes=[]}", "column 2: expected 'shape', found 'modes=[]}'"},
  };
  for (const Case& c : cases) EXPECT_EQ(error_of(c.text), c.message);
  std::string long_product = "local()";
  for (int i = 0; i < 128; ++i) long_product += ".local()";
  EXPECT_THAT(error_of(long_product), ::testing::HasSubstr("at most 128 factors"));
}

}  // namespace
}  // namespace anybit::layout
