// The programs of tests/vm/accept and tests/vm/reject, and what texts cannot reach.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "anybit/layout/register_layout_ops.h"
#include "anybit/vm/ir/builder.h"
#include "anybit/vm/ir/instruction_info.h"
#include "anybit/vm/ir/verify.h"
#include "anybit/vm/text/parse.h"
#include "anybit/vm/text/print.h"

namespace anybit::vm {
namespace {

const std::filesystem::path kPrograms = std::filesystem::path(ANYBIT_SOURCE_DIR) / "tests/vm";

std::string read(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

std::vector<std::string> programs_in(const char* folder) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(kPrograms / folder)) {
    if (entry.path().extension() == ".vm") names.push_back(entry.path().stem().string());
  }
  std::ranges::sort(names);
  return names;
}

bool same_type(const TensorType& a, const TensorType& b) {
  return a.space == b.space && a.element == b.element && a.shape == b.shape &&
         a.extents == b.extents && a.strides == b.strides &&
         a.register_layout == b.register_layout && a.shared_layout == b.shared_layout;
}

bool same_block(const Block& a, const Block& b);

bool same_statement(const Statement& a, const Statement& b) {
  return a.kind == b.kind && a.instruction.opcode == b.instruction.opcode &&
         a.instruction.operands == b.instruction.operands &&
         a.instruction.attributes == b.instruction.attributes &&
         a.instruction.result == b.instruction.result && a.variable == b.variable &&
         a.expressions == b.expressions && a.unroll == b.unroll &&
         a.num_registers == b.num_registers && a.num_stages == b.num_stages &&
         a.first_thread == b.first_thread && a.num_threads == b.num_threads &&
         same_block(a.body, b.body) && same_block(a.else_body, b.else_body);
}

bool same_block(const Block& a, const Block& b) { return std::ranges::equal(a, b, same_statement); }

bool same_program(const Program& a, const Program& b) {
  return a.name == b.name && a.comment == b.comment && a.parameters == b.parameters &&
         a.grid == b.grid && a.cluster == b.cluster && a.num_warps == b.num_warps &&
         std::ranges::equal(a.variables, b.variables,
                            [](const Variable& x, const Variable& y) {
                              return x.name == y.name && x.type == y.type && x.role == y.role;
                            }) &&
         std::ranges::equal(a.values, b.values,
                            [](const Value& x, const Value& y) {
                              return x.name == y.name && same_type(x.type, y.type);
                            }) &&
         same_block(a.body, b.body);
}

class Accepted : public ::testing::TestWithParam<std::string> {};

TEST_P(Accepted, PrintsToTheSameProgram) {
  const auto programs = parse_module(read(kPrograms / "accept" / (GetParam() + ".vm")));
  ASSERT_TRUE(programs.has_value()) << programs.error().message;
  const std::string printed = print(*programs);
  const auto again = parse_module(printed);
  ASSERT_TRUE(again.has_value()) << again.error().message << "\n" << printed;
  EXPECT_EQ(print(*again), printed);
  ASSERT_EQ(again->size(), programs->size());
  for (size_t i = 0; i < programs->size(); ++i) {
    EXPECT_TRUE(same_program((*again)[i], (*programs)[i])) << printed;
  }
}

INSTANTIATE_TEST_SUITE_P(Vm, Accepted, ::testing::ValuesIn(programs_in("accept")),
                         [](const auto& info) { return info.param; });

class Rejected : public ::testing::TestWithParam<std::string> {};

TEST_P(Rejected, SaysWhy) {
  constexpr std::string_view kExpect = "// expect: ";
  const std::string text = read(kPrograms / "reject" / (GetParam() + ".vm"));
  ASSERT_TRUE(text.starts_with(kExpect));
  const std::string expected = text.substr(kExpect.size(), text.find('\n') - kExpect.size());
  const auto programs = parse_module(text);
  ASSERT_FALSE(programs.has_value()) << "accepted, expected: " << expected;
  EXPECT_EQ(programs.error().code, ErrorCode::kInvalidArgument);
  EXPECT_TRUE(programs.error().message.starts_with("line ")) << programs.error().message;
  EXPECT_NE(programs.error().message.find(expected), std::string::npos)
      << "said:     " << programs.error().message << "\nexpected: " << expected;
}

INSTANTIATE_TEST_SUITE_P(Vm, Rejected, ::testing::ValuesIn(programs_in("reject")),
                         [](const auto& info) { return info.param; });

TEST(Examples, StandInTheProgramNamedAfterTheirInstruction) {
  for (const Opcode opcode : all_opcodes()) {
    const InstructionInfo& info = instruction_info(opcode);
    SCOPED_TRACE(info.name);
    const std::string text = read(kPrograms / "accept" / (std::string(info.name) + ".vm"));
    EXPECT_NE(text.find("  " + std::string(info.example) + "\n"), std::string::npos)
        << "no line `" << info.example << "`";
  }
}

TEST(InstructionTable, LeavesOutOnlyLastOperands) {
  for (const Opcode opcode : all_opcodes()) {
    const auto& operands = instruction_info(opcode).operands;
    EXPECT_TRUE(std::ranges::is_partitioned(operands, [](const OperandInfo& operand) {
      return !operand.is_optional;
    })) << instruction_info(opcode).name;
  }
}

/// A kernel whose only statement defines `value`.
std::string let(const std::string& value) {
  return "kernel k(n: i32) grid [1] {\n  let a = " + value + "\n}\n";
}

std::string repeated(std::string_view part, int count) {
  std::string text;
  for (int i = 0; i < count; ++i) text += part;
  return text;
}

TEST(Limits, OfExpressions) {
  const auto nested = [](int depth) {
    return let(repeated("(", depth) + "n" + repeated(")", depth));
  };
  EXPECT_TRUE(parse_program(nested(kMaxExprDepth)).has_value());
  EXPECT_FALSE(parse_program(nested(100'000)).has_value());
  const auto chain = [](int terms) { return let("n" + repeated(" + n", terms - 1)); };
  EXPECT_TRUE(parse_program(chain(kMaxExprDepth)).has_value());
  const auto too_long = parse_program(chain(kMaxExprDepth + 1));
  ASSERT_FALSE(too_long.has_value());
  EXPECT_NE(too_long.error().message.find("more than 200 levels"), std::string::npos);
  EXPECT_FALSE(parse_program(let(repeated("-", 100'000) + "n")).has_value());
  EXPECT_FALSE(parse_program(let(repeated("!", 100'000) + "n")).has_value());
  EXPECT_FALSE(parse_program(let(repeated("min(n, ", 100'000) + "n")).has_value());
}

TEST(Limits, DeepestExpressionsPrintToThemselves) {
  for (const char* part : {"-", "1 - (", "min(n, ", "2 * -("}) {
    std::string text = "n";
    while (true) {
      const bool opens = std::string_view(part).ends_with('(') || std::string_view(part)[0] == 'm';
      const std::string next = part + text + (opens ? ")" : "");
      if (!parse_program(let(next)).has_value()) break;
      text = next;
    }
    const Program program = parse_program(let(text)).value();
    EXPECT_EQ(program.body[0].expressions[0].depth() > kMaxExprDepth - 3, true) << part;
    const auto again = parse_program(print(program));
    ASSERT_TRUE(again.has_value()) << again.error().message;
    EXPECT_TRUE(same_program(*again, program));
  }
}

TEST(Limits, OfNamesAndLists) {
  const auto named = [](size_t length) {
    return "kernel k() grid [1] {\n  let " + std::string(length, 'a') + " = 1\n}\n";
  };
  EXPECT_TRUE(parse_program(named(kMaxNameLength)).has_value());
  const auto too_long = parse_program(named(kMaxNameLength + 1));
  ASSERT_FALSE(too_long.has_value());
  EXPECT_EQ(too_long.error().message,
            "line 2, column 7: expected a name, found a name of more than 256 characters");
  for (const char* list : {"iota(dim=0, shape=", "load_global(%g, shape=[8], offset="}) {
    const auto wide = parse_program(
        "kernel k(x: ptr) grid [1] {\n  %g = global_view(pointer=x, element=f16, shape=[8])\n  %t "
        "= " +
        std::string(list) + "[" + repeated("1, ", 64) + "1])\n}\n");
    ASSERT_FALSE(wide.has_value());
    EXPECT_NE(wide.error().message.find("expected ']' after 64 values"), std::string::npos);
  }
}

TEST(Limits, OfBlocksStatementsAndBytes) {
  const auto nested = [](int depth) {
    return "kernel k(n: i32) grid [1] " + repeated("{ if n > 0 ", depth - 1) + "{" +
           repeated("}", depth);
  };
  EXPECT_TRUE(parse_program(nested(64)).has_value());
  const auto too_deep = parse_program(nested(65));
  ASSERT_FALSE(too_deep.has_value());
  EXPECT_NE(too_deep.error().message.find("blocks nested more than 64 deep"), std::string::npos);
  EXPECT_FALSE(parse_program(nested(100'000)).has_value());
  const auto chain = [](int length) {
    return "kernel k(n: i32) grid [1] { if n > 0 {} " + repeated("else if n > 1 {} ", length) + "}";
  };
  const auto longest = parse_program(chain(60));
  ASSERT_TRUE(longest.has_value());
  EXPECT_TRUE(parse_program(print(*longest)).has_value());
  EXPECT_FALSE(parse_program(chain(100'000)).has_value());
  const auto many = [](int count) {
    return "kernel k() grid [1] {" + repeated("sync() ", count) + "}";
  };
  EXPECT_TRUE(parse_program(many(100'000)).has_value());
  EXPECT_FALSE(parse_program(many(100'001)).has_value());
  EXPECT_FALSE(parse_program(std::string(kMaxTextBytes + 1, ' ')).has_value());
}

TEST(Parse, TakesOneKernelOrSeveral) {
  const std::string kernel = "kernel a() grid [1] {}\n";
  const std::string two = kernel + "kernel b() grid [1] {}\n";
  EXPECT_FALSE(parse_program(two).has_value());
  const auto module = parse_module(two);
  ASSERT_TRUE(module.has_value());
  ASSERT_EQ(module->size(), 2u);
  EXPECT_EQ((*module)[1].name, "b");
}

TEST(Parse, KnowsWhereStatementsBegin) {
  const auto program =
      parse_program("kernel a(n: i32) grid [1] {\n  sync()\n\tif n > 0 { sync() }\n}");
  ASSERT_TRUE(program.has_value());
  EXPECT_EQ(program->body[0].location.line, 2);
  EXPECT_EQ(program->body[0].location.column, 3);
  EXPECT_EQ(program->body[1].body[0].location.line, 3);
  EXPECT_EQ(program->body[1].body[0].location.column, 13);
}

TEST(Parse, KeepsTheCommentOfAKernel) {
  const auto module = parse_module(
      "// file\n\n// one\n//\n//  two\r\nkernel a() grid [1] {} // no\nkernel b() grid [1] {}");
  ASSERT_TRUE(module.has_value()) << module.error().message;
  EXPECT_EQ((*module)[0].comment, "one\n\n two");
  EXPECT_EQ((*module)[1].comment, "");
}

TEST(Print, GivesTheTextOfABuiltProgram) {
  KernelBuilder k("scale");
  k.comment("Doubles.\n\nEverything.");
  const Expr x = k.parameter("x", ScalarType::kPointer), n = k.parameter("n", ScalarType::kI32);
  const Expr big = k.parameter("big", ScalarType::kI64);
  k.grid({ceil_div(n, 1024)});
  const Tile all = k.global_view(x, numeric::kF16, {n});
  const Tile part = k.load_global(all, {k.block(0) * 1024}, {1024});
  const Tile two =
      k.full(numeric::kF16, {1024}, Expr::real(2), layout::spatial({128}) * layout::local({8}));
  const Expr wide = k.let("wide", big - (Expr(3) - big) * 2);
  k.for_range("i", Expr::integer(0, ScalarType::kI64), Expr::integer(4, ScalarType::kI64), 2,
              [&](const Expr& i) { k.let("j", i + wide); }, {.unroll = true, .num_stages = 2});
  k.store_global(all, k.mul(part, two), {k.block(0) * 1024});
  const Program program = k.build().value();
  const std::string text = print(program);
  EXPECT_EQ(text, R"(// Doubles.
//
// Everything.
kernel scale(x: ptr, n: i32, big: i64) grid [(n + 1024 - 1) / 1024] warps 4 {
  %global_view_0 = global_view(pointer=x, element=f16, shape=[n])
  %load_global_1: f16[1024] = load_global(%global_view_0, offset=[block.x * 1024], shape=[1024])
  %full_2: f16[1024] @ spatial(128).local(8) = full(element=f16, shape=[1024], value=2.0)
  let wide = big - (3 - big) * 2
  for i in range(i64(0), i64(4), i64(2)) unroll pipeline(2) {
    let j = i + wide
  }
  %mul_3: f16[1024] = mul(%load_global_1, %full_2)
  store_global(%global_view_0, %mul_3, offset=[block.x * 1024])
}
)");
  const auto again = parse_program(text);
  ASSERT_TRUE(again.has_value()) << again.error().message;
  EXPECT_TRUE(same_program(*again, program));
}

TEST(Print, FloatsRoundTripByBits) {
  Program program = Program::with_builtins("k");
  for (const uint32_t bits : {0u, 0x80000000u, 1u, 0x3f800000u, 0x7f7fffffu, 0x00800000u,
                              0x7f800000u, 0xff800000u, 0x7fc00000u, 0x4b800000u, 0xcb800001u}) {
    float value = 0;
    std::memcpy(&value, &bits, sizeof value);
    const std::string text = print_expression(Expr::real(value), program);
    const auto parsed = parse_program(let(text));
    ASSERT_TRUE(parsed.has_value()) << text;
    EXPECT_EQ(parsed->body[0].expressions[0], Expr::real(value)) << text;
  }
}

TEST(Print, TextAttributesOfAnyBytes) {
  KernelBuilder k("k");
  k.grid({1});
  std::string bytes;
  for (int c = 0; c < 256; ++c) bytes += static_cast<char>(c);
  k.emit(Opcode::kPrint, {}, {bytes});
  const Program program = k.build().value();
  const auto again = parse_program(print(program));
  ASSERT_TRUE(again.has_value()) << again.error().message;
  EXPECT_TRUE(same_program(*again, program));
}

}  // namespace
}  // namespace anybit::vm
