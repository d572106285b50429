#include "anybit/model/tokenizer/internal/added_tokens.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace anybit::model::internal {
namespace {

AddedToken make_token(int32_t id, std::string content) {
  AddedToken token;
  token.id = id;
  token.content = std::move(content);
  return token;
}

// Tokens as "<id:what they swallowed>", text as it is.
std::string marked(const std::vector<AddedToken>& tokens, std::string_view text,
                   bool parse_special = true) {
  AddedTokenMatcher matcher;
  for (const AddedToken& token : tokens) matcher.add(token.content, token);
  std::vector<AddedTokenSpan> parts;
  matcher.split(text, parse_special, parts);
  std::string out;
  size_t covered = 0;
  for (const AddedTokenSpan& part : parts) {
    EXPECT_EQ(part.begin, covered);
    covered = part.end;
    const std::string piece(text.substr(part.begin, part.end - part.begin));
    out += part.id < 0 ? piece : "<" + std::to_string(part.id) + ":" + piece + ">";
  }
  EXPECT_EQ(covered, text.size());
  return out;
}

TEST(AddedTokens, FindsTheLeftmostAndLongest) {
  const std::vector<AddedToken> tokens = {make_token(1, "ab"), make_token(2, "abc"),
                                          make_token(3, "bcd")};
  EXPECT_EQ(marked(tokens, "xabcdab"), "x<2:abc>d<1:ab>");
  EXPECT_EQ(marked(tokens, ""), "");
  EXPECT_EQ(marked({}, "abc"), "abc");
  EXPECT_EQ(marked(tokens, "ababx"), "<1:ab><1:ab>x");
}

TEST(AddedTokens, SwallowsWhiteSpaceOnItsSides) {
  AddedToken left = make_token(1, "L");
  left.strip_left = true;
  AddedToken right = make_token(2, "R");
  right.strip_right = true;
  EXPECT_EQ(marked({left, right}, "a \u3000L b R \u2003c"), "a<1: \u3000L> b <2:R \u2003>c");
  EXPECT_EQ(marked({left, right}, "R  L"), "<2:R  ><1:L>");
}

TEST(AddedTokens, KeepsSingleWordsApart) {
  AddedToken word = make_token(1, "cat");
  word.single_word = true;
  EXPECT_EQ(marked({word}, "cat cats \u00e9cat _cat (cat)"),
            "<1:cat> cats \u00e9cat _cat (<1:cat>)");
}

TEST(AddedTokens, LeavesSpecialTokensAsTextWithoutParseSpecial) {
  AddedToken special = make_token(1, "<s>");
  special.special = true;
  const std::vector<AddedToken> tokens = {special, make_token(2, "s>"), make_token(3, "b")};
  EXPECT_EQ(marked(tokens, "a<s>b"), "a<1:<s>><3:b>");
  EXPECT_EQ(marked(tokens, "a<s>b", false), "a<s><3:b>");
}

}  // namespace
}  // namespace anybit::model::internal
