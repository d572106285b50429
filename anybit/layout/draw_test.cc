#include "anybit/layout/draw.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "anybit/layout/mma_layouts.h"
#include "anybit/layout/register_layout_ops.h"

namespace anybit::layout {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

int count(const std::string& text, std::string_view word) {
  int found = 0;
  for (size_t at = text.find(word); at != std::string::npos; at = text.find(word, at + 1)) ++found;
  return found;
}

TEST(Draw, TableOfThreadsAndPlaces) {
  EXPECT_EQ(draw_text(spatial({2, 2}) * local({1, 2})).value(),
            "  |   0   1   2   3\n"
            "--+----------------\n"
            "0 | 0:0 0:1 1:0 1:1\n"
            "1 | 2:0 2:1 3:0 3:1\n");
}

TEST(Draw, ReplicasAreNamedOrCounted) {
  EXPECT_EQ(draw_text(replicated(2) * spatial({2})).value(),
            "  |     0     1\n"
            "--+------------\n"
            "0 | 0,2:0 1,3:0\n");
  EXPECT_EQ(draw_text(replicated(4) * local({2})).value(),
            "  |           0           1\n"
            "--+------------------------\n"
            "0 | 0,1,..(4):0 0,1,..(4):1\n");
}

TEST(Draw, LeadingDimensionsMakeTables) {
  EXPECT_EQ(draw_text(local({2, 1, 2})).value(),
            "[0,*,*]\n"
            "  |   0   1\n"
            "--+--------\n"
            "0 | 0:0 0:1\n"
            "\n"
            "[1,*,*]\n"
            "  |   0   1\n"
            "--+--------\n"
            "0 | 0:2 0:3\n");
  EXPECT_EQ(draw_text(RegisterLayout()).value(),
            "  |   0\n"
            "--+----\n"
            "0 | 0:0\n");
}

TEST(Draw, SvgHasEveryElementAndALegend) {
  const RegisterLayout tile = mma_fragments()[0].cd;
  const std::string svg = draw_svg(tile).value();
  EXPECT_THAT(svg, ::testing::StartsWith("<svg "));
  EXPECT_THAT(svg, ::testing::EndsWith("</svg>\n"));
  EXPECT_EQ(count(svg, "stroke="), 16 * 8);                 // Cells.
  EXPECT_EQ(count(svg, "width=\"16\" height=\"16\""), 32);  // Legend.
  EXPECT_THAT(svg, HasSubstr("local(2,1).spatial(8,4).local(1,2)"));
  EXPECT_EQ(count(svg, ">31:3<"), 1);
  EXPECT_EQ(count(svg, "<text "), count(svg, "</text>"));
}

TEST(Draw, WarpsHaveOneColourEach) {
  const RegisterLayout tile = wgmma_accumulator(8).value();
  const std::string svg = draw_svg(tile, DrawColor::kWarp).value();
  EXPECT_EQ(count(svg, "width=\"16\" height=\"16\""), 4);
  EXPECT_THAT(svg, HasSubstr(">warp ("));
  // More threads than the legend shows are counted.
  EXPECT_THAT(draw_svg(tile).value(), HasSubstr("... 128 in all"));
  EXPECT_THAT(svg, Not(HasSubstr("in all")));
}

TEST(Draw, RefusesWhatIsTooLarge) {
  EXPECT_EQ(draw_text(local({1 << 15})).error().code, ErrorCode::kUnsupported);
  EXPECT_EQ(draw_svg(local({1 << 15})).error().code, ErrorCode::kUnsupported);
}

}  // namespace
}  // namespace anybit::layout
