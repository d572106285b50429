#include "anybit/cli/text_table.h"

#include <gtest/gtest.h>

namespace anybit::cli {
namespace {

TEST(TextTable, AlignsByCharactersAndLeavesNoBlanksAtLineEnds) {
  TextTable table({{"name"}, {"size", Align::kRight}, {"note"}});
  table.add_row({"é", "1", "x"});
  table.add_row({"longer", "12345", ""});
  EXPECT_EQ(table.text(), "name     size  note\né           1  x\nlonger  12345\n");
}

TEST(TextTable, StylesTheTitlesOnly) {
  TextTable table({{"a"}});
  table.add_row({"b"});
  EXPECT_EQ(table.text(true), "\x1b[1ma\x1b[0m\nb\n");
}

TEST(FormatBytes, UsesPowersOfThousand) {
  EXPECT_EQ(format_bytes(0), "0 B");
  EXPECT_EQ(format_bytes(999), "999 B");
  EXPECT_EQ(format_bytes(1500), "1.5 kB");
  EXPECT_EQ(format_bytes(999'999), "1.0 MB");
  EXPECT_EQ(format_bytes(2'000'000'000), "2.0 GB");
}

TEST(FormatShape, PrintsExtents) {
  EXPECT_EQ(format_shape({}), "[]");
  EXPECT_EQ(format_shape({64, 32}), "[64, 32]");
}

}  // namespace
}  // namespace anybit::cli
