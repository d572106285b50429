#include "anybit/vm/tuning/schedule.h"

#include <gtest/gtest.h>

namespace anybit::vm {
namespace {

TEST(NamedIntegers, TextParsesBack) {
  const NamedIntegers sizes = {{"n", 4096}, {"m", 1}, {"k", -3}};
  EXPECT_EQ(to_string(sizes), "k=-3 m=1 n=4096");
  EXPECT_EQ(*parse_named_integers(to_string(sizes)), sizes);
  EXPECT_EQ(*parse_named_integers("  n=4096\tm=1  k=-3 "), sizes);
  EXPECT_EQ(*parse_named_integers(""), NamedIntegers());
}

TEST(NamedIntegers, WhatIsWrongIsNamed) {
  for (const auto& [text, message] :
       {std::pair{"m=1 n", "found 'n'"}, std::pair{"m=", "found 'm='"},
        std::pair{"m=1x", "found 'm=1x'"}, std::pair{"=1", "found '=1'"},
        std::pair{"M=1", "found 'M=1'"}, std::pair{"m=99999999999999999999", "found 'm="},
        std::pair{"m=1 m=1", "m is given twice"}}) {
    const auto parsed = parse_named_integers(text);
    ASSERT_FALSE(parsed.has_value()) << text;
    EXPECT_NE(parsed.error().message.find(message), std::string::npos) << parsed.error().message;
  }
}

TEST(Schedules, EveryCombinationOnceTheLastAxisFastest) {
  const std::vector<ScheduleAxis> axes = {{"a", {1, 2}, ""}, {"b", {5, 7, 9}, ""}};
  const auto schedules = all_schedules(axes);
  ASSERT_TRUE(schedules.has_value());
  ASSERT_EQ(schedules->size(), 6U);
  EXPECT_EQ(to_string((*schedules)[0]), "a=1 b=5");
  EXPECT_EQ(to_string((*schedules)[1]), "a=1 b=7");
  EXPECT_EQ(to_string((*schedules)[5]), "a=2 b=9");
}

TEST(Schedules, SpacesTooLargeOrEmptyAreRefused) {
  std::vector<ScheduleAxis> axes(6, {"a", {1, 2, 3, 4, 5, 6, 7, 8}, ""});
  EXPECT_FALSE(all_schedules(axes).has_value());
  EXPECT_FALSE(all_schedules(std::vector<ScheduleAxis>{{"a", {}, ""}}).has_value());
}

TEST(Schedules, RoundingUpToPowersOfTwo) {
  EXPECT_EQ(rounded_up_to_power_of_two(1), 1);
  EXPECT_EQ(rounded_up_to_power_of_two(17), 32);
  EXPECT_EQ(rounded_up_to_power_of_two(4096), 4096);
}

}  // namespace
}  // namespace anybit::vm
