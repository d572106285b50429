#include "anybit/engine/text_stream.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "anybit/base/philox.h"

namespace anybit::engine {
namespace {

std::string utf8(uint32_t c) {
  const auto byte = [](uint32_t x) { return static_cast<char>(x); };
  if (c < 0x80) return {byte(c)};
  if (c < 0x800) return {byte(0xC0 | c >> 6), byte(0x80 | (c & 63))};
  if (c < 0x10000) {
    return {byte(0xE0 | c >> 12), byte(0x80 | (c >> 6 & 63)), byte(0x80 | (c & 63))};
  }
  return {byte(0xF0 | c >> 18), byte(0x80 | (c >> 12 & 63)), byte(0x80 | (c >> 6 & 63)),
          byte(0x80 | (c & 63))};
}

/// The text given out for `bytes`, a byte at a time.
std::string bytewise(const std::string& bytes) {
  TextStream stream;
  std::string text;
  for (const char byte : bytes) text += stream.push({&byte, 1});
  return text + stream.finish();
}

TEST(TextStream, GivesEveryCharacterWhenItIsComplete) {
  for (uint32_t c = 0; c <= 0x10FFFF; c += c < 0x3000 ? 1 : 7) {
    if (c >= 0xD800 && c <= 0xDFFF) continue;
    const std::string bytes = utf8(c);
    TextStream stream;
    for (size_t i = 0; i + 1 < bytes.size(); ++i) {
      ASSERT_EQ(stream.push({&bytes[i], 1}), "") << "half of character " << c;
    }
    ASSERT_EQ(stream.push({&bytes.back(), 1}), bytes) << c;
    ASSERT_EQ(stream.finish(), "") << c;
  }
}

// Expected: Python's bytes.decode("utf-8", "replace").
TEST(TextStream, ReplacesWhatIsNotUtf8) {
  const std::string r = "\xEF\xBF\xBD";
  EXPECT_EQ(bytewise("a\x80z"), "a" + r + "z");
  EXPECT_EQ(bytewise("\xC0\xAF"), r + r);
  EXPECT_EQ(bytewise("\xE2\x82"), r) << "an unfinished character is one";
  EXPECT_EQ(bytewise("\xE2\x82z"), r + "z");
  EXPECT_EQ(bytewise("\xF0\x9F\x98\xE2\x82\xAC"), r + "\xE2\x82\xAC");
  EXPECT_EQ(bytewise("\xED\xA0\x80"), r + r + r) << "a surrogate";
  EXPECT_EQ(bytewise("\xF4\x90\x80\x80"), r + r + r + r) << "above 10FFFF";
  EXPECT_EQ(bytewise("\xE0\x80\x80"), r + r + r) << "an overlong form";
  EXPECT_EQ(bytewise("\xFF\xFE"), r + r);
}

TEST(TextStream, HowBytesArriveDoesNotMatter) {
  const Philox random(1);
  for (uint64_t trial = 0; trial < 2000; ++trial) {
    std::string bytes;
    for (uint64_t i = 0; i < 12; ++i) {
      const uint64_t bits = random.bits64(trial * 64 + i);
      // Whole characters, and bytes of all kinds.
      bytes += bits % 3 == 0 ? utf8(static_cast<uint32_t>(0x80 + (bits >> 8) % 0xD000))
                             : std::string(1, static_cast<char>(bits >> 16));
    }
    TextStream whole;
    std::string text = whole.push(bytes);
    text += whole.finish();
    ASSERT_EQ(bytewise(bytes), text) << "trial " << trial;
    TextStream again;
    ASSERT_EQ(again.push(text) + again.finish(), text) << "the output is valid UTF-8";
  }
}

TEST(TextStream, IsAsAtFirstAfterFinish) {
  TextStream stream;
  EXPECT_EQ(stream.push("\xE2"), "");
  EXPECT_EQ(stream.finish(), "\xEF\xBF\xBD");
  EXPECT_EQ(stream.push("a"), "a");
  EXPECT_EQ(stream.finish(), "");
}

}  // namespace
}  // namespace anybit::engine
