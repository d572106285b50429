#include "anybit/vm/pass/select_wgmma.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "anybit/vm/ir/verify.h"
#include "anybit/vm/text/parse.h"
#include "anybit/vm/text/print.h"

namespace anybit::vm {
namespace {

/// sum[m, 64] += a[m, k] . b[64, k]^T; `between` stands between the loads and the product, `after`
/// after it.
Program program_of(int m, int k, const std::string& between, const std::string& after) {
  const std::string text = fmt::format(
      "kernel k(a: ptr, y: ptr) grid [1] warps 4 {{\n"
      "  %a = global_view(pointer=a, element=f16, shape=[{0}, {1}])\n"
      "  %y = global_view(pointer=y, element=f32, shape=[{0}, 64])\n"
      "  %sa = alloc_shared(element=f16, shape=[{0}, {1}])\n"
      "  %sb = alloc_shared(element=f16, shape=[64, {1}])\n"
      "  %sum = full(element=f32, shape=[{0}, 64], value=0.0)\n"
      "  sync()\n"
      "  %l = load_shared(%sa)\n"
      "  %t = permute_shared(%sb, dims=[1, 0])\n"
      "  %r = load_shared(%t)\n"
      "{2}"
      "  %d = dot(%l, %r, %sum, unit=wgmma)\n"
      "{3}"
      "  store_global(%y, %sum, offset=[0, 0])\n}}\n",
      m, k, between, after);
  Result<Program> program = parse_program(text);
  EXPECT_TRUE(program.has_value()) << program.error().message;
  return std::move(*program);
}

constexpr const char* kAssign = "  assign(%sum, %d)\n";

std::string selected(const Program& program, int architecture, std::vector<Remark>& remarks) {
  const Result<Program> result = select_wgmma(program, architecture, &remarks);
  EXPECT_TRUE(result.has_value());
  EXPECT_TRUE(verify(*result, VerifyStage::kBeforeLayouts).has_value());
  return print(*result);
}

TEST(SelectWgmma, ReplacesAProductOfSharedTiles) {
  std::vector<Remark> remarks;
  const std::string text = selected(program_of(64, 64, "", kAssign), 90, remarks);
  EXPECT_TRUE(remarks.empty());
  EXPECT_NE(text.find("  fence_async()\n  sync()\n"), std::string::npos) << text;
  EXPECT_NE(text.find("  wgmma(%sum, %sa, %t)\n  wgmma_commit()\n  wgmma_wait(groups=0)\n"
                      "  store_global"),
            std::string::npos)
      << text;
  EXPECT_EQ(text.find("load_shared"), std::string::npos) << text;
}

TEST(SelectWgmma, TakesAFromRegistersWhereItIsNotLoadedForTheProductAlone) {
  std::vector<Remark> remarks;
  const std::string text = selected(program_of(64, 64, "  %n = neg(%l)\n", kAssign), 90, remarks);
  EXPECT_TRUE(remarks.empty());
  EXPECT_NE(text.find("wgmma(%sum, %l, %t)"), std::string::npos) << text;
}

struct Refusal {
  int m, k;
  const char *between, *after;
  int architecture;
  const char* reason;
};

TEST(SelectWgmma, KeepsTheDotAndSaysWhy) {
  const Refusal kRefusals[] = {
      {64, 64, "", kAssign, 80, "it needs sm_90a, the target is sm_80"},
      {64, 64, "", "", 90, "the next statement does not assign the result"},
      {64, 64, "", "  assign(%sum, %d)\n  %n = neg(%d)\n", 90,
       "the next statement does not assign the result, unused elsewhere"},
      {64, 64, "  sync()\n", kAssign, 90, "%r is not loaded from shared memory for it alone"},
      {64, 64, "  store_shared(%sa, %l)\n", kAssign, 90, "%r is not loaded"},
      {32, 64, "", kAssign, 90, "wgmma of m=32 n=64 k=64: expected multiples of 64, 8, 16"},
      {64, 128, "", kAssign, 90, "lines of 256 bytes along k; wgmma reads lines of 32, 64 or 128"},
  };
  for (const Refusal& row : kRefusals) {
    std::vector<Remark> remarks;
    const std::string text =
        selected(program_of(row.m, row.k, row.between, row.after), row.architecture, remarks);
    ASSERT_EQ(remarks.size(), 1U) << row.reason;
    EXPECT_NE(remarks[0].text.find(row.reason), std::string::npos) << remarks[0].text;
    EXPECT_NE(text.find(" = dot(%l, %r, %sum)\n"), std::string::npos) << text;
    EXPECT_EQ(text.find("fence_async"), std::string::npos) << text;
  }
}

}  // namespace
}  // namespace anybit::vm
