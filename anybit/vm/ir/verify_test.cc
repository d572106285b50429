// What the verifier says of programs that text cannot write; tests/vm/reject has the others.
#include "anybit/vm/ir/verify.h"

#include <gtest/gtest.h>

#include "anybit/layout/register_layout_ops.h"
#include "anybit/vm/ir/builder.h"

namespace anybit::vm {
namespace {

std::string message_of(const Program& program, VerifyStage stage = VerifyStage::kBeforeLayouts) {
  const Status status = verify(program, stage);
  return status ? "" : status.error().message;
}

/// A kernel of one CTA of one warp, with a parameter n and a tile.
Program small_program() {
  KernelBuilder k("k", 1);
  k.parameter("n", ScalarType::kI32);
  k.grid({1});
  k.iota({64}, 0);
  return k.build().value();
}

Statement instruction(Opcode opcode, std::vector<ValueId> operands,
                      std::vector<Attribute> attributes, ValueId result = kNoValue) {
  Statement statement;
  statement.instruction = {opcode, std::move(operands), std::move(attributes), result};
  return statement;
}

TEST(Verify, AcceptsTheSmallProgram) { EXPECT_EQ(message_of(small_program()), ""); }

TEST(Verify, NamesMustBeWritable) {
  for (const char* name : {"", "a b", "1a", "a.b", "%a", "ä"}) {
    Program program = small_program();
    program.name = name;
    EXPECT_NE(message_of(program).find("expected a name of letters"), std::string::npos) << name;
  }
  for (const char* name : {"", "a-b", "inf", "nan", "true", "false", "2"}) {
    Program program = small_program();
    program.variables.back().name = name;
    EXPECT_EQ(message_of(program), fmt::format("'{}' cannot name a scalar", name));
  }
  Program program = small_program();
  program.values[0].name = "a b";
  EXPECT_EQ(message_of(program), "'a b' cannot name a tile");
}

TEST(Verify, NamesMustDiffer) {
  Program program = small_program();
  program.add_variable("n", ScalarType::kI32, VariableRole::kLet);
  EXPECT_EQ(message_of(program), "two scalars are named n");
  program = small_program();
  program.add_value("iota_0", {});
  EXPECT_EQ(message_of(program), "two tiles are named %iota_0");
}

TEST(Verify, WarpsAreLimited) {
  Program program = small_program();
  program.num_warps = 33;
  EXPECT_EQ(message_of(program), "warps 33, expected 1 to 32");
}

TEST(Verify, DefinitionsComeOnce) {
  Program program = small_program();
  program.body.push_back(program.body[0]);
  EXPECT_EQ(message_of(program), "iota: %iota_0 is defined twice");
  program = small_program();
  Statement let;
  let.kind = StatementKind::kLet;
  let.variable = program.add_variable("a", ScalarType::kI32, VariableRole::kLet);
  let.expressions = {Expr(1)};
  program.body.push_back(let);
  program.body.push_back(let);
  EXPECT_EQ(message_of(program), "a is defined twice");
  Statement loop = let;
  loop.kind = StatementKind::kFor;
  loop.expressions = {Expr(0), Expr(1), Expr(1)};
  program.body = {let, loop};
  EXPECT_EQ(message_of(program), "a is defined twice");
}

TEST(Verify, UseComesAfterDefinition) {
  Program program = small_program();
  const ValueId result = program.add_value("b", program.values[0].type);
  program.body.insert(program.body.begin(), instruction(Opcode::kUnary, {0}, {int64_t{0}}, result));
  EXPECT_EQ(message_of(program), "unary: %iota_0 is not defined in this scope");
}

TEST(Verify, LoopBoundsHaveTheVariablesType) {
  Program program = small_program();
  Statement loop;
  loop.kind = StatementKind::kFor;
  loop.variable = program.add_variable("i", ScalarType::kI32, VariableRole::kLoop);
  loop.expressions = {Expr(0), Expr::integer(5, ScalarType::kI64), Expr(1)};
  program.body = {loop};
  EXPECT_EQ(message_of(program), "for: expected i32, found i64");
}

TEST(Verify, ResultsHaveTheirInstructionsType) {
  Program program = small_program();
  program.type_of(0).shape = {32};
  EXPECT_EQ(message_of(program),
            "iota: the result is register int32 [64], but is declared register int32 [32]");
}

TEST(Verify, ExpressionsHaveLimitedDepth) {
  Program program = small_program();
  const Expr n = Expr::variable(program.parameters[0], ScalarType::kI32);
  Expr deep = n;
  while (deep.depth() < kMaxExprDepth) deep = deep + n;
  Statement assume;
  assume.kind = StatementKind::kLet;
  assume.variable = program.add_variable("a", ScalarType::kI32, VariableRole::kLet);
  assume.expressions = {deep};
  program.body.push_back(assume);
  EXPECT_EQ(message_of(program), "");
  program.body.back().expressions = {deep + n};
  EXPECT_EQ(message_of(program), "an expression of 201 levels, expected at most 200");
}

TEST(Verify, WithLayoutsEveryTileHasOne) {
  Program program = small_program();
  EXPECT_EQ(message_of(program, VerifyStage::kWithLayouts), "iota: %iota_0 has no layout");
  program.type_of(0).register_layout = layout::spatial({32}) * layout::local({2});
  EXPECT_EQ(message_of(program, VerifyStage::kWithLayouts), "");
  program.type_of(0).register_layout = layout::spatial({64});
  EXPECT_EQ(message_of(program, VerifyStage::kWithLayouts),
            "iota: %iota_0 of shape [64] over 32 threads has a layout of shape [64] over 64");
}

TEST(Verify, WithLayoutsOperandsHaveTheOneTheirInstructionNeeds) {
  Program program = small_program();
  program.type_of(0).register_layout = layout::spatial({32}) * layout::local({2});
  TensorType type = program.values[0].type;
  type.register_layout = layout::local({2}) * layout::spatial({32});
  const ValueId result = program.add_value("b", type);
  program.body.push_back(instruction(Opcode::kUnary, {0}, {int64_t{0}}, result));
  EXPECT_EQ(message_of(program), "");
  EXPECT_EQ(message_of(program, VerifyStage::kWithLayouts),
            "unary: %iota_0 is laid out as spatial(32).local(2), expected local(2).spatial(32)");
}

TEST(Verify, ViewsKeepTheBitsOfEachThread) {
  KernelBuilder k("k", 1);
  k.grid({1});
  const Tile bytes =
      k.full(numeric::uint_format(8), {160}, Expr(0), layout::spatial({32}) * layout::local({5}));
  k.view(bytes, numeric::parse_element_format("e2m2").value(), {256},
         layout::spatial({32}) * layout::local({8}));
  EXPECT_EQ(message_of(k.build().value(), VerifyStage::kWithLayouts), "");
  k.view(bytes, numeric::parse_element_format("e2m1").value(), {256},
         layout::spatial({32}) * layout::local({8}));
  EXPECT_NE(message_of(k.build().value(), VerifyStage::kWithLayouts)
                .find("each thread holds 40 bits (5 of uint8) but would view 32 bits"),
            std::string::npos);
}

}  // namespace
}  // namespace anybit::vm
