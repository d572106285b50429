#include "anybit/vm/pass/dead_code.h"

#include <gtest/gtest.h>

#include "anybit/vm/text/parse.h"
#include "anybit/vm/text/print.h"

namespace anybit::vm {
namespace {

std::string without_dead_code(std::string_view text) {
  return print(remove_dead_code(parse_program(text).value()).value());
}

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

TEST(DeadCode, RemovesWhatNobodyReadsAndKeepsEffects) {
  const std::string left = without_dead_code(
      "kernel k(x: ptr) grid [1] warps 1 {\n"
      "  let unused = 3\n"
      "  %x = global_view(pointer=x, element=int32, shape=[32])\n"
      "  %i = iota(shape=[32], dim=0)\n"
      "  %sum = add(%i, %i)\n"
      "  %twice = add(%sum, %i)\n"
      "  %read = load_global(%x, offset=[0], shape=[32])\n"
      "  %s = alloc_shared(element=f32, shape=[32])\n"
      "  free_shared(%s)\n"
      "  if 1 < 2 {\n"
      "    %j = iota(shape=[32], dim=0)\n"
      "  }\n"
      "  store_global(%x, %i, offset=[0])\n"
      "}\n");
  for (const std::string_view gone :
       {"unused", "%sum", "%twice", "%read", "%s ", "free_shared", "%j", "if "}) {
    EXPECT_FALSE(contains(left, gone)) << gone << " in\n" << left;
  }
  EXPECT_TRUE(contains(left, "store_global(%x, %i")) << left;
}

TEST(DeadCode, DropsTheResultOfAnAtomicButNotTheAtomic) {
  const std::string left = without_dead_code(
      "kernel k(x: ptr) grid [1] warps 1 {\n"
      "  %x = global_view(pointer=x, element=int32, shape=[32])\n"
      "  %i = iota(shape=[32], dim=0)\n"
      "  %before = atomic_global(%x, %i, %i, op=add)\n"
      "}\n");
  EXPECT_FALSE(contains(left, "%before")) << left;
  EXPECT_TRUE(contains(left, "  atomic_global(%x, %i, %i, op=add)")) << left;
}

}  // namespace
}  // namespace anybit::vm
