#include "anybit/base/json.h"

#include <gtest/gtest.h>

#include <string>

namespace anybit {
namespace {

std::string nested(int depth) { return std::string(depth, '[') + std::string(depth, ']'); }

TEST(ParseJson, ReadsValues) {
  const Json value = parse_json(R"({"a": [1, 2.5, "x", null, true]})", "t.json").value();
  EXPECT_EQ(value["a"].size(), 5U);
}

TEST(ParseJson, NamesTheFileAndThePosition) {
  for (const char* text : {"", "{", "{\"a\":}", "[1,]", "nul", "\"\xff\"", "1 2", "{\"a\":1,}"}) {
    const auto value = parse_json(text, "t.json");
    ASSERT_FALSE(value) << text;
    EXPECT_EQ(value.error().code, ErrorCode::kCorruptData);
    EXPECT_EQ(value.error().message.find("t.json: "), 0U) << value.error().message;
  }
}

TEST(ParseJson, LimitsDepth) {
  EXPECT_TRUE(parse_json(nested(100), "t"));
  EXPECT_FALSE(parse_json(nested(200), "t"));
  EXPECT_FALSE(parse_json(nested(1'000'000), "t"));
  EXPECT_FALSE(parse_json(std::string(1'000'000, '['), "t"));
}

TEST(JsonMember, ReadsItsType) {
  const Json object =
      parse_json(R"({"i": -3, "d": 1.5, "b": true, "s": "x", "n": null})", "t").value();
  EXPECT_EQ(json_member<int64_t>(object, "i", "t").value(), -3);
  EXPECT_EQ(json_member<double>(object, "d", "t").value(), 1.5);
  EXPECT_EQ(json_member<double>(object, "i", "t").value(), -3.0);
  EXPECT_TRUE(json_member<bool>(object, "b", "t").value());
  EXPECT_EQ(json_member<std::string>(object, "s", "t").value(), "x");
}

TEST(JsonMember, NamesKeyExpectedAndFound) {
  const Json object =
      parse_json(R"({"s": "x", "big": 18446744073709551615, "d": 1.5})", "t").value();
  const auto wrong = json_member<int64_t>(object, "s", "config.json");
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().message, "config.json: \"s\": expected a 64-bit integer, found string");
  EXPECT_FALSE(json_member<int64_t>(object, "big", "t"));
  EXPECT_FALSE(json_member<int64_t>(object, "d", "t"));
  EXPECT_FALSE(json_member<int64_t>(object, "absent", "t"));
  EXPECT_FALSE(json_member<int64_t>(Json::array(), "s", "t"));
  EXPECT_FALSE(json_member<bool>(object, "s", "t"));
  EXPECT_FALSE(json_member<std::string>(object, "d", "t"));
  EXPECT_FALSE(json_member<double>(object, "s", "t"));
}

TEST(JsonMemberOr, FallsBackOnlyWhereAbsentOrNull) {
  const Json object = parse_json(R"({"n": null, "s": "x"})", "t").value();
  EXPECT_EQ(json_member_or<int64_t>(object, "absent", 5, "t").value(), 5);
  EXPECT_EQ(json_member_or<int64_t>(object, "n", 5, "t").value(), 5);
  EXPECT_EQ(json_member_or<int64_t>(Json(3), "n", 5, "t").value(), 5);
  EXPECT_FALSE(json_member_or<int64_t>(object, "s", 5, "t"));
}

}  // namespace
}  // namespace anybit
