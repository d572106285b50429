#include "anybit/vm/pass/scalar_analysis.h"

#include <gtest/gtest.h>

#include "anybit/vm/text/parse.h"

namespace anybit::vm {
namespace {

/// What is known of the scalar `name`, of which there is one.
struct Facts {
  int64_t divisor;
  ScalarRange range;
};

Facts facts_of(const Program& program, std::string_view name) {
  for (size_t id = 0; id < program.variables.size(); ++id) {
    if (program.variables[id].name != name) continue;
    const ScalarAnalysis scalars(program);
    const Expr expr = Expr::variable(static_cast<VariableId>(id), program.variables[id].type);
    return {scalars.divisor(expr), scalars.range(expr)};
  }
  ADD_FAILURE() << name;
  return {1, {}};
}

TEST(ScalarAnalysis, FollowsAVarThroughItsSets) {
  const Program program = parse_program(
                              "kernel k(n: i32) grid [1] {\n"
                              "  assume n % 12 == 0\n"
                              "  var even = 16\n  var stage = 0\n  var down = 100\n  var any = 6\n"
                              "  for i in range(0, n) {\n"
                              "    set even = even + 8\n"
                              "    set stage = (stage + 1) % 3\n"
                              "    if i == 5 { set down = down - 10 }\n"
                              "    set any = even + n\n"
                              "  }\n}")
                              .value();
  EXPECT_EQ(facts_of(program, "even").divisor, 8);
  EXPECT_EQ(facts_of(program, "even").range.low, 16);
  EXPECT_EQ(facts_of(program, "even").range.high, INT32_MAX);
  EXPECT_EQ(facts_of(program, "stage").range.low, 0);
  EXPECT_EQ(facts_of(program, "stage").range.high, 2);
  EXPECT_EQ(facts_of(program, "down").divisor, 10);
  EXPECT_EQ(facts_of(program, "down").range.high, 100);
  EXPECT_EQ(facts_of(program, "down").range.low, INT32_MIN);
  EXPECT_EQ(facts_of(program, "any").divisor, 2);
}

TEST(ScalarAnalysis, VarsThatSetEachOther) {
  const Program program = parse_program(
                              "kernel k(n: i32) grid [1] {\n"
                              "  var a = 4\n  var b = 6\n"
                              "  while a < n {\n    set a = b * 2\n    set b = a + 9\n  }\n}")
                              .value();
  EXPECT_EQ(facts_of(program, "a").divisor, 2);
  EXPECT_EQ(facts_of(program, "b").divisor, 1);
  EXPECT_EQ(facts_of(program, "a").range.low, 4);
}

}  // namespace
}  // namespace anybit::vm
