#include "anybit/model/tokenizer/internal/unicode.h"

#include <gtest/gtest.h>

#include <string>

#include "anybit/model/tokenizer/internal/byte_alphabet.h"

namespace anybit::model::internal {
namespace {

TEST(Unicode, DecodesEveryCodePointAsItWasEncoded) {
  for (int32_t code_point = 0; code_point <= 0x10FFFF; ++code_point) {
    if (code_point >= 0xD800 && code_point < 0xE000) continue;
    std::string text;
    append_utf8(text, code_point);
    const Character character = decode_utf8(text, 0);
    ASSERT_EQ(character.code_point, code_point);
    ASSERT_EQ(static_cast<size_t>(character.size_bytes), text.size());
    ASSERT_EQ(valid_utf8_prefix(text), text.size());
    ASSERT_EQ(valid_utf8_prefix(text.substr(0, text.size() - 1)), 0U);
  }
}

TEST(Unicode, RefusesMalformedSequences) {
  for (const std::string text :
       {"\x80", "\xC0\x80", "\xC1\xBF", "\xE0\x80\x80", "\xED\xA0\x80", "\xF0\x80\x80\x80",
        "\xF4\x90\x80\x80", "\xF8\x88\x80\x80", "\xFF", "\xC3", "\xE2\x96", "\xC3\x41"}) {
    EXPECT_EQ(decode_utf8(text, 0).code_point, kInvalidByte);
    EXPECT_EQ(valid_utf8_prefix("12345678" + text), 8U);
  }
}

TEST(Unicode, KnowsPropertiesBeyondAscii) {
  EXPECT_TRUE(is_whitespace(0x3000) && is_whitespace(0x85) && !is_whitespace(0x180E));
  EXPECT_TRUE(is_numeric(0x00BD) && is_numeric(0x2167) && !is_numeric('a'));
  EXPECT_TRUE(is_punctuation('$') && is_punctuation(0x3002) && !is_punctuation(0x20AC));
  EXPECT_TRUE(is_word('_') && is_word(0x301) && is_word(0x24B6) && !is_word(0xBD));
  EXPECT_FALSE(is_word(kInvalidByte) || is_numeric(kInvalidByte) || is_mark(kInvalidByte));
}

TEST(Unicode, NormalizesAroundInvalidBytes) {
  EXPECT_EQ(normalize_unicode("e\u0301\xFF\u212B", NormalForm::kNfc), "\u00e9\xFF\u00c5");
  EXPECT_EQ(normalize_unicode("\u00e9", NormalForm::kNfd), "e\u0301");
  EXPECT_EQ(normalize_unicode("\uFB01\u00B2", NormalForm::kNfkc), "fi2");
  EXPECT_EQ(normalize_unicode("\uFB01\u00e9", NormalForm::kNfkd), "fie\u0301");
}

TEST(Unicode, LowersTheOneCodePointWithTwo) {
  std::string text;
  append_lowercase(text, 0x130);
  append_lowercase(text, 0x3A3);
  EXPECT_EQ(text, "i\u0307\u03c3");
}

TEST(ByteAlphabet, SpellsEveryByteAndBack) {
  std::string bytes;
  for (int byte = 0; byte < 256; ++byte) bytes += static_cast<char>(byte);
  const std::string spelled = bytes_to_alphabet(bytes);
  EXPECT_EQ(alphabet_to_bytes(spelled), bytes);
  EXPECT_EQ(bytes_to_alphabet(" \n\xAD!"), "\u0120\u010a\u0143!");
  EXPECT_EQ(alphabet_to_bytes("a b"), std::nullopt);
  EXPECT_EQ(alphabet_to_bytes("\u0144"), std::nullopt);
}

}  // namespace
}  // namespace anybit::model::internal
