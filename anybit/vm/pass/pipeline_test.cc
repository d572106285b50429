// What each pass shows of its work: the program after it, with what it found as comments.
#include "anybit/vm/pass/pipeline.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "anybit/vm/text/parse.h"
#include "anybit/vm/text/print.h"

namespace anybit::vm {
namespace {

constexpr std::string_view kProduct =
    "kernel k(a: ptr, b: ptr, c: ptr, k: i32) grid [8] warps 4 {\n"
    "  assume k % 32 == 0\n"
    "  %a = global_view(pointer=a, element=f16, shape=[512, k])\n"
    "  %b = global_view(pointer=b, element=f16, shape=[64, k])\n"
    "  %c = global_view(pointer=c, element=f16, shape=[512, 64])\n"
    "  let row = block.x * 64\n"
    "  %sum = full(element=f32, shape=[64, 64], value=0.0)\n"
    "  for p in range(0, k, 32) pipeline(3) {\n"
    "    %x = load_global(%a, offset=[row, p], shape=[64, 32])\n"
    "    %y = load_global(%b, offset=[0, p], shape=[64, 32])\n"
    "    %yt = permute(%y, dims=[1, 0])\n"
    "    %next = dot(%x, %yt, %sum)\n"
    "    assign(%sum, %next)\n"
    "  }\n"
    "  %out = cast(%sum, element=f16)\n"
    "  %rows: f16[64, 64] @ local(4,1).spatial(16,8).local(1,8) = convert_layout(%out)\n"
    "  store_global(%c, %rows, offset=[row, 0])\n"
    "}\n";

/// What --print-after shows, by pass.
std::map<std::string_view, std::string> shown(const Program& program) {
  std::map<std::string_view, std::string> texts;
  LoweringOptions options{.wants_code = true, .verify_after_each = true};
  options.after_pass = [&](const PassInfo& pass, const LoweredProgram& lowered) {
    texts[pass.name] = print_after(pass, lowered);
    // Comments are comments: the text is the program still.
    const Result<Program> parsed = parse_program(texts[pass.name]);
    ASSERT_TRUE(parsed.has_value()) << pass.name << ": " << parsed.error().message;
    EXPECT_EQ(print(*parsed), print(lowered.program)) << pass.name;
  };
  const Result<LoweredProgram> lowered = lower(program, options);
  EXPECT_TRUE(lowered.has_value()) << lowered.error().message;
  return texts;
}

TEST(Passes, ShowWhatTheyFound) {
  const auto texts = shown(parse_program(kProduct).value());
  const std::pair<std::string_view, std::string_view> expected[] = {
      {"layouts", "%x: f16[64, 32] @ "},
      {"pipeline-loops", "%x_stages: shared f16[3, 64, 32] = alloc_shared"},
      {"swizzles", "%x_stages: shared f16[3, 64, 32] @ row_major(3,64,32).swizzle(3,2,3) ="},
      {"analysis", "// row is a multiple of 64, at least 0\n"},
      {"analysis", "// p is a multiple of 32, at least 0"},
      {"shared-plan", "// at byte 12288 of 24576, strides [2048, 32, 1], swizzle(3,2,3)\n"},
      {"accesses", "// runs of 8 elements: 16 bytes; bounds tested in dimension 0\n"},
      {"selection", "// 2 cp.async of 16 bytes a thread; bounds tested in dimension 0, 1\n"},
      {"selection", "// 2 cp.async of 16 bytes a thread; bounds tested in dimension 1\n"},
      {"selection", "// 4 ldmatrix_x4\n"},
      {"selection", "// mma m16n8k16, 8 tiles of a warp in 2 steps of k\n"},
  };
  for (const auto& [pass, text] : expected) {
    ASSERT_TRUE(texts.contains(pass)) << pass;
    EXPECT_NE(texts.at(pass).find(text), std::string::npos) << text << "\n" << texts.at(pass);
  }
}

TEST(Passes, InsertConversionsAfterLayouts) {
  const auto texts =
      shown(parse_program(
                "kernel k(x: ptr) grid [1] {\n"
                "  %x = global_view(pointer=x, element=int32, shape=[128])\n"
                "  %a: int32[128] @ spatial(128) = iota(shape=[128], dim=0)\n"
                "  %b: int32[128] @ replicated(4).spatial(32).local(4) = iota(shape=[128], dim=0)\n"
                "  %c: int32[128] @ spatial(128) = add(%a, %b)\n"
                "  store_global(%x, %c, offset=[0])\n}")
                .value());
  EXPECT_EQ(texts.at("layouts").find("convert_layout"), std::string::npos);
  EXPECT_NE(texts.at("conversions").find("spatial(128) = convert_layout(%b)"), std::string::npos)
      << texts.at("conversions");
}

TEST(Passes, PlanCodeOnlyWhereItIsWanted) {
  const Program program = parse_program(kProduct).value();
  EXPECT_FALSE(lower(program)->code.has_value());
  const Result<LoweredProgram> lowered = lower(program, {.wants_code = true});
  ASSERT_TRUE(lowered->code.has_value());
  size_t count = 0;
  for_each_statement(lowered->program.body, [&](const Statement&) { ++count; });
  EXPECT_EQ(lowered->code->statements.size(), count);
}

TEST(Passes, SayWhichCopyCannotBeCarriedOut) {
  const Program program = parse_program(
                              "kernel k(x: ptr, n: i32) grid [1] {\n"
                              "  %x = global_view(pointer=x, element=uint8, shape=[n, n])\n"
                              "  %s = alloc_shared(element=uint8, shape=[8, 16])\n"
                              "  copy_async(%s, %x, offset=[0, 0])\n  copy_async_commit()\n}")
                              .value();
  const Result<LoweredProgram> lowered = lower(program, {.wants_code = true});
  ASSERT_FALSE(lowered.has_value());
  EXPECT_EQ(lowered.error().code, ErrorCode::kUnsupported);
  EXPECT_NE(lowered.error().message.find("pass selection: line 4: copy_async: no runs of 4"),
            std::string::npos)
      << lowered.error().message;
}

}  // namespace
}  // namespace anybit::vm
