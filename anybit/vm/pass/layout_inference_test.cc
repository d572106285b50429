#include "anybit/vm/pass/layout_inference.h"

#include <gtest/gtest.h>

#include "anybit/vm/text/parse.h"

namespace anybit::vm {
namespace {

TEST(LayoutInference, AsksNothingOfTilesThatNobodyDefines) {
  Program program =
      parse_program("kernel k() grid [1] {\n  %a = iota(shape=[128], dim=0)\n}").value();
  program.body.clear();  // As a pass that removes dead code leaves it.
  const Result<LayoutInference> inferred = infer_layouts(program);
  EXPECT_TRUE(inferred.has_value()) << inferred.error().message;
}

TEST(LayoutInference, NamesTheTileThatNoRuleCovers) {
  const Program program =
      parse_program(
          "kernel k() grid [1] {\n  %a = iota(shape=[128], dim=0)\n  %b = convert_layout(%a)\n}")
          .value();
  const Result<LayoutInference> inferred = infer_layouts(program);
  ASSERT_FALSE(inferred.has_value());
  EXPECT_NE(inferred.error().message.find("%b: no rule gives it a layout"), std::string::npos);
}

}  // namespace
}  // namespace anybit::vm
