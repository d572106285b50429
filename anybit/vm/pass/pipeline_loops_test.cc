// Marked loops give the same bits pipelined as they stand: for every number of iterations around
// the number of stages, on the reference, which reports races and copies read too early, and as
// generated code.
#include "anybit/vm/pass/pipeline_loops.h"

#include <gtest/gtest.h>

#include <cstring>

#include "anybit/base/philox.h"
#include "anybit/vm/backend/run.h"
#include "anybit/vm/pass/pipeline.h"
#include "anybit/vm/text/parse.h"
#include "anybit/vm/text/print.h"
#include "tests/support/aligned_memory.h"

namespace anybit::vm {
namespace {

/// A kernel around a loop over `x`, f16 [40, 256], that leaves something in `y`, f32 [256]. The
/// loop is marked where the text says MARK.
struct LoopCase {
  std::string name;
  std::string body;
  int64_t step = 1;
  std::string explanation;  // Part of what the pass must say.
};

std::string kernel_text(const LoopCase& test, int64_t num_stages) {
  std::string body = test.body;
  for (size_t at; (at = body.find("MARK")) != std::string::npos;) {
    body.replace(at, 4, num_stages == 0 ? "" : fmt::format("pipeline({})", num_stages));
  }
  return fmt::format(
      "kernel k(x: ptr, y: ptr, begin: i32, end: i32) grid [1] warps 2 {{\n"
      "  %x = global_view(pointer=x, element=f16, shape=[40, 256])\n"
      "  %y = global_view(pointer=y, element=f32, shape=[256])\n"
      "  %acc = full(element=f32, shape=[1, 256], value=0.0)\n{}"
      "  %out = reshape(%acc, shape=[256])\n"
      "  store_global(%y, %out, offset=[0])\n}}\n",
      body);
}

/// acc = 3 acc + v: the order of iterations shows in the result.
const char* const kAccumulate =
    "    %w = cast(%v, element=f32)\n"
    "    %three = full(element=f32, shape=[1, 1], value=3.0)\n"
    "    %sum = fma(%acc, %three, %w)\n"
    "    assign(%acc, %sum)\n";

std::vector<LoopCase> loops_with_copies() {
  return {
      {"copies, a sync at the end",
       "  %s = alloc_shared(element=f16, shape=[1, 256])\n"
       "  for i in range(begin, end) MARK {\n"
       "    copy_async(%s, %x, offset=[i, 0])\n    copy_async_commit()\n"
       "    copy_async_wait(groups=0)\n    sync()\n    %v = load_shared(%s)\n" +
           std::string(kAccumulate) + "    sync()\n  }\n  free_shared(%s)\n",
       1, "stages of %s"},
      {"copies, a sync at the start, lets, a step of 3, rows beyond the tensor",
       "  %s = alloc_shared(element=f16, shape=[1, 256])\n"
       "  %part = slice_shared(%s, offset=[0, 0], shape=[1, 256])\n"
       "  for i in range(begin, end, 3) MARK {\n    sync()\n"
       "    let twice = 2 * i\n    let row = twice + 1\n"
       "    copy_async(%s, %x, offset=[row, 0])\n    copy_async_commit()\n"
       "    copy_async_wait(groups=0)\n    sync()\n    %v = load_shared(%part)\n" +
           std::string(kAccumulate) + "  }\n",
       3, "a sync of the body moved before it"},
      {"two copies into halves, allocated in the body",
       "  for i in range(begin, end) MARK {\n"
       "    %s = alloc_shared(element=f16, shape=[2, 128])\n"
       "    %a = slice_shared(%s, offset=[0, 0], shape=[1, 128])\n"
       "    %b = slice_shared(%s, offset=[1, 0], shape=[1, 128])\n"
       "    copy_async(%a, %x, offset=[i, 0])\n    copy_async_commit()\n"
       "    copy_async(%b, %x, offset=[i + 1, 128])\n    copy_async_commit()\n"
       "    copy_async_wait(groups=0)\n    sync()\n"
       "    %flat = reshape_shared(%s, shape=[1, 256])\n    %v = load_shared(%flat)\n" +
           std::string(kAccumulate) + "    sync()\n    free_shared(%s)\n  }\n",
       1, "stages of %s"},
      {"other shared memory in the body, an annotated layout",
       "  %s: shared f16[1, 256] @ row_major(1,256).swizzle(3,2,3)"
       " = alloc_shared(element=f16, shape=[1, 256])\n"
       "  %t = alloc_shared(element=f16, shape=[1, 256])\n"
       "  for i in range(begin, end) MARK {\n"
       "    copy_async(%s, %x, offset=[i, 0])\n    copy_async_commit()\n"
       "    copy_async_wait(groups=0)\n    sync()\n    %u = load_shared(%s)\n"
       "    store_shared(%t, %u)\n    sync()\n"
       "    %v: f16[1, 256] @ column_spatial(1,64).local(1,4) = load_shared(%t)\n" +
           std::string(kAccumulate) + "    sync()\n  }\n",
       1, "stages of %s"},
      {"in an outer loop, a sync at the start",
       "  %s = alloc_shared(element=f16, shape=[1, 256])\n"
       "  for o in range(0, 2) {\n    for i in range(begin, end) MARK {\n      sync()\n"
       "      copy_async(%s, %x, offset=[i + o, 0])\n      copy_async_commit()\n"
       "      copy_async_wait(groups=0)\n      sync()\n      %v = load_shared(%s)\n" +
           std::string(kAccumulate) + "    }\n  }\n",
       1, "a sync of the body moved before it"},
  };
}

std::vector<LoopCase> loops_with_loads() {
  return {
      {"a load stored into shared memory",
       "  %s = alloc_shared(element=f16, shape=[1, 256])\n"
       "  for i in range(begin, end) MARK {\n"
       "    %g = load_global(%x, offset=[i, 0], shape=[1, 256])\n    store_shared(%s, %g)\n"
       "    sync()\n    %v = load_shared(%s)\n" +
           std::string(kAccumulate) + "    sync()\n  }\n",
       1, "stages of %s"},
      {"a load that is changed on its way into shared memory",
       "  %s = alloc_shared(element=f16, shape=[1, 256])\n"
       "  for i in range(begin, end) MARK {\n"
       "    %g = load_global(%x, offset=[i, 0], shape=[1, 256])\n    %n = neg(%g)\n"
       "    store_shared(%s, %n)\n    sync()\n    %v = load_shared(%s)\n" +
           std::string(kAccumulate) + "    sync()\n  }\n",
       1, "into registers"},
      {"loads into registers, of an address that divides",
       "  for i in range(begin, end, 2) MARK {\n"
       "    %a = load_global(%x, offset=[i / 2, 0], shape=[1, 256])\n"
       "    %b = load_global(%x, offset=[72 / (i + 30), 0], shape=[1, 256])\n"
       "    %v = add(%a, %b)\n" +
           std::string(kAccumulate) + "  }\n",
       2, "%b is loaded"},
      {"in an outer loop, bounds that are expressions, a var set in the loop",
       "  %s = alloc_shared(element=f16, shape=[1, 256])\n"
       "  var count = end\n"
       "  for o in range(0, 3) {\n"
       "    for i in range(begin + 0 * o, count * 2 - end) MARK {\n      set count = count + 1\n"
       "      copy_async(%s, %x, offset=[i + o, 0])\n      copy_async_commit()\n"
       "      copy_async_wait(groups=0)\n      sync()\n      %v = load_shared(%s)\n" +
           std::string(kAccumulate) + "      sync()\n    }\n    set count = end\n  }\n",
       1, "a sync follows it"},
      {"operands of a dot",
       "  %z = full(element=f32, shape=[16, 16], value=0.0)\n"
       "  for i in range(begin, end) MARK {\n"
       "    %a = load_global(%x, offset=[i, 0], shape=[16, 32])\n"
       "    %b = load_global(%x, offset=[0, i * 16], shape=[32, 16])\n"
       "    %next = dot(%a, %b, %z)\n    assign(%z, %next)\n  }\n"
       "  %zz = alloc_shared(element=f32, shape=[16, 16])\n"
       "  store_shared(%zz, %z)\n  sync()\n"
       "  %zr = reshape_shared(%zz, shape=[1, 256])\n  %zl = load_shared(%zr)\n"
       "  assign(%acc, %zl)\n",
       1, "stages of %a, %b"},
      {"a copy for a dot beside a load for the rest",
       "  %s = alloc_shared(element=f16, shape=[1, 256])\n"
       "  for i in range(begin, end) MARK {\n"
       "    copy_async(%s, %x, offset=[i, 0])\n    copy_async_commit()\n"
       "    %g = load_global(%x, offset=[i + 1, 0], shape=[1, 256])\n"
       "    copy_async_wait(groups=0)\n    sync()\n    %u = load_shared(%s)\n"
       "    %v = sub(%u, %g)\n" +
           std::string(kAccumulate) + "    sync()\n  }\n",
       1, "into registers"},
  };
}

const std::vector<LoopCase>& cases() {
  static const std::vector<LoopCase> kCases = [] {
    std::vector<LoopCase> all = loops_with_copies();
    for (LoopCase& test : loops_with_loads()) all.push_back(std::move(test));
    return all;
  }();
  return kCases;
}

std::string explanation(const Program& program) {
  std::string text;
  const Result<LoweredProgram> lowered = lower(program, {.verify_after_each = true});
  if (!lowered) return lowered.error().message;
  for (const auto& [pass, remark] : lowered->notes.remarks) text += remark.text + "\n";
  return text;
}

using Memory = anybit::testing::AlignedMemory;

/// y after a run, or the error.
std::string outcome(Backend backend, const Program& program, int32_t begin, int32_t end) {
  Memory x(40 * 256 * 2), y(256 * 4);
  const Philox random(3);
  for (size_t i = 0; i < 40 * 256; ++i) {
    const auto code = static_cast<uint16_t>(numeric::encode(numeric::kF16, random.normal(i)));
    std::memcpy(x.span().data() + 2 * i, &code, 2);
  }
  const std::vector<LaunchArgument> arguments = {LaunchArgument(x.span()), LaunchArgument(y.span()),
                                                 LaunchArgument(begin), LaunchArgument(end)};
  if (const Status status = run_program(backend, program, arguments); !status) {
    return status.error().message;
  }
  return {reinterpret_cast<const char*>(y.span().data()), 256 * 4};
}

TEST(PipelineLoops, GivesTheSameBitsOnTheReference) {
  for (const LoopCase& test : cases()) {
    const Program plain = parse_program(kernel_text(test, 0)).value();
    for (int64_t num_stages = 2; num_stages <= 5; ++num_stages) {
      const Program marked = parse_program(kernel_text(test, num_stages)).value();
      EXPECT_NE(explanation(marked).find(test.explanation), std::string::npos)
          << test.name << ": " << explanation(marked);
      for (int64_t trips = 0; trips <= 2 * num_stages + 1; ++trips) {
        const auto begin = static_cast<int32_t>(trips % 3);
        const auto end = static_cast<int32_t>(begin + trips * test.step - (trips + 1) % test.step);
        const std::string expected = outcome(Backend::kReference, plain, begin, end);
        ASSERT_EQ(expected.size(), 1024U) << test.name << ": " << expected;
        const std::string found = outcome(Backend::kReference, marked, begin, end);
        ASSERT_EQ(found.size(), 1024U) << test.name << ", " << num_stages << " stages: " << found;
        EXPECT_TRUE(found == expected)
            << test.name << ", " << num_stages << " stages, " << trips << " iterations";
      }
    }
  }
}

TEST(PipelineLoops, GivesTheSameBitsAsGeneratedCode) {
  for (size_t i = 0; i < cases().size(); ++i) {
    const LoopCase& test = cases()[i];
    const auto num_stages = static_cast<int64_t>(2 + i % 3);
    const Program plain = parse_program(kernel_text(test, 0)).value();
    const Program marked = parse_program(kernel_text(test, num_stages)).value();
    for (const int64_t trips : {int64_t{0}, int64_t{1}, num_stages, 2 * num_stages + 1}) {
      const auto end = static_cast<int32_t>(trips * test.step);
      EXPECT_TRUE(outcome(Backend::kEmulated, marked, 0, end) ==
                  outcome(Backend::kReference, plain, 0, end))
          << test.name << ", " << num_stages << " stages, " << trips << " iterations";
    }
  }
}

TEST(PipelineLoops, BoundsAtTheEndsOfTheRange) {
  const LoopCase test{"wide",
                      "  %s = alloc_shared(element=f16, shape=[1, 256])\n"
                      "  for i in range(begin, end, 1000000000) MARK {\n"
                      "    copy_async(%s, %x, offset=[i / 1000000000 + 3, 0])\n"
                      "    copy_async_commit()\n    copy_async_wait(groups=0)\n    sync()\n"
                      "    %v = load_shared(%s)\n" +
                          std::string(kAccumulate) + "    sync()\n  }\n",
                      1, ""};
  EXPECT_NE(explanation(parse_program(kernel_text(test, 2)).value()).find("too large"),
            std::string::npos);
  LoopCase smaller = test;
  const size_t step = smaller.body.find("1000000000)");
  smaller.body.replace(step, 10, "200000000");
  const Program plain = parse_program(kernel_text(smaller, 0)).value();
  const Program marked = parse_program(kernel_text(smaller, 4)).value();
  EXPECT_NE(explanation(marked).find("stages of %s"), std::string::npos) << explanation(marked);
  for (const int32_t end : {INT32_MAX, INT32_MIN, 0, 1000}) {
    for (const int32_t begin : {INT32_MIN, INT32_MAX - 1, 0}) {
      EXPECT_TRUE(outcome(Backend::kReference, marked, begin, end) ==
                  outcome(Backend::kReference, plain, begin, end))
          << begin << " to " << end;
    }
  }
}

TEST(PipelineLoops, SaysWhyALoopStays) {
  const std::string copies =
      "    copy_async(%s, %x, offset=[i, 0])\n    copy_async_commit()\n"
      "    copy_async_wait(groups=0)\n    sync()\n    %v = load_shared(%s)\n" +
      std::string(kAccumulate);
  const std::string head =
      "  %s = alloc_shared(element=f16, shape=[1, 256])\n  var j = begin\n"
      "  for i in range(begin, end) MARK {\n";
  const std::pair<std::string, std::string> refused[] = {
      {head + copies + "    if i == 3 {\n      break\n    }\n  }\n", "break (line 18)"},
      {head + copies + "    store_global(%x, %v, offset=[i + 1, 0])\n  }\n",
       "store_global (line 17) writes global memory"},
      {head + "    sync()\n  }\n", "nothing at the top level"},
      {head + "    copy_async(%s, %x, offset=[j, 0])\n    copy_async_commit()\n"
              "    copy_async_wait(groups=0)\n    sync()\n    set j = j + i\n  }\n",
       "depends on j, which the loop changes"},
      {head + "    %v = load_shared(%s)\n" + kAccumulate +
           "    sync()\n    copy_async(%s, %x, offset=[i, 0])\n"
           "    copy_async_commit()\n    copy_async_wait(groups=0)\n    sync()\n  }\n",
       "before the copies of its iteration have arrived"},
      {head + copies + "    sync()\n  }\n  %after = load_shared(%s)\n" +
           "  %wide = cast(%after, element=f32)\n  assign(%acc, %wide)\n",
       "used outside the loop"},
      {head + "    copy_async(%s, %x, offset=[i, 0])\n    copy_async_commit()\n"
              "    copy_async_wait(groups=1)\n    sync()\n  }\n",
       "pipelined by hand"},
      {head + "    copy_async(%s, %x, offset=[i, 0])\n    copy_async_wait(groups=0)\n"
              "    sync()\n  }\n",
       "not all committed"},
      {head + "    copy_async(%s, %x, offset=[i, 0])\n    copy_async_commit()\n"
              "    copy_async_wait(groups=0)\n  }\n",
       "no sync follows the wait"},
      {head + "    %half = slice_shared(%s, offset=[0, 0], shape=[1, 128])\n"
              "    copy_async(%half, %x, offset=[i, 0])\n    copy_async_commit()\n"
              "    copy_async_wait(groups=0)\n    sync()\n  }\n",
       "fill only a part of %s"},
      {head + "    %half = slice_shared(%s, offset=[0, i % 2 * 128], shape=[1, 128])\n"
              "    copy_async(%half, %x, offset=[i, 0])\n    copy_async_commit()\n"
              "    copy_async_wait(groups=0)\n    sync()\n  }\n",
       "which part of %s a copy fills varies"},
      {head + "    copy_async(%s, %x, offset=[i, 0], condition=i < 4)\n    copy_async_commit()\n"
              "    copy_async_wait(groups=0)\n    sync()\n  }\n",
       "a condition of its own"},
      {head + "    if i > 1 {\n      copy_async(%s, %x, offset=[i, 0])\n    }\n" + copies + "  }\n",
       "copies in inner blocks too"},
      {"  for i in range(begin, end) MARK {\n"
       "    %s = alloc_shared(element=f16, shape=[128, 256])\n"
       "    copy_async(%s, %x, offset=[i, 0])\n    copy_async_commit()\n"
       "    copy_async_wait(groups=0)\n    sync()\n    free_shared(%s)\n  }\n",
       "too large"},
  };
  for (const auto& [body, reason] : refused) {
    const LoopCase test{"refused", body, 1, ""};
    const Result<Program> program = parse_program(kernel_text(test, 4));
    ASSERT_TRUE(program.has_value()) << program.error().message << body;
    const std::string found = explanation(*program);
    EXPECT_NE(found.find("not pipelined: "), std::string::npos) << found << body;
    EXPECT_NE(found.find(reason), std::string::npos) << found << body;
  }
}

}  // namespace
}  // namespace anybit::vm
