#include "anybit/vm/backend/cuda/device_selfcheck.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace anybit::vm {
namespace {

TEST(DeviceSelfCheck, EveryCaseRunsInTheEmulation) {
  std::set<std::string> names;
  for (const SelfCheckCase& check : self_check_cases()) {
    EXPECT_TRUE(names.insert(check.name).second) << check.name;
    const auto output = emulated_self_check(check);
    ASSERT_TRUE(output) << check.name << ": " << output.error().message;
    const std::set<uint32_t> values(output->begin(), output->end());
    EXPECT_GT(values.size(), 8u) << check.name << ": checks nothing";
  }
}

TEST(DeviceSelfCheck, DifferencesAreNamed) {
  SelfCheckCase check;
  check.name = "case";
  const std::vector<uint32_t> expected = {1, 2, 3}, found = {1, 7, 8};
  EXPECT_TRUE(compare_self_check(check, expected, expected));
  const Status status = compare_self_check(check, expected, found);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().message,
            "case: 2 of 3 words differ; word 1 is 0x00000007, expected 0x00000002");
  EXPECT_FALSE(compare_self_check(check, expected, std::span(found).first(2)));
}

}  // namespace
}  // namespace anybit::vm
