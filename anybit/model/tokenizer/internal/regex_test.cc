#include "anybit/model/tokenizer/internal/regex.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "anybit/model/tokenizer/internal/gpt2_pattern.h"

namespace anybit::model::internal {
namespace {

// The matches in brackets, the rest bare.
std::string marked(std::string_view pattern, std::string_view text) {
  const Result<Regex> regex = Regex::compile(pattern, "test");
  if (!regex) return regex.error().message;
  RegexScratch scratch;
  std::vector<Span> spans;
  const Status status = regex->find_all(text, scratch, spans);
  if (!status) return status.error().message;
  std::string out;
  size_t covered = 0;
  for (const Span& span : spans) {
    EXPECT_EQ(span.begin, covered);
    covered = span.end;
    const std::string part(text.substr(span.begin, span.end - span.begin));
    out += span.is_match ? "[" + part + "]" : part;
  }
  EXPECT_EQ(covered, text.size());
  return out;
}

struct MatchCase {
  const char* pattern;
  const char* text;
  const char* marked;
};

TEST(Regex, MatchesAsOniguruma) {
  const MatchCase cases[] = {
      {R"(\p{L}+)", "ab 中文!", "[ab] [中文]!"},
      {R"(\s+)", "a \u3000b\u180ec", "a[ \u3000]b\u180ec"},
      {R"([^\s]+)", "a\u180eb c", "[a\u180eb] [c]"},
      {R"(\S)", "a \u2028b", "[a] \u2028[b]"},
      {R"([\S]+)", "a b", "[a] [b]"},
      {R"(\w+)", "a_b\u0301-\u24b6\u00bd", "[a_b\u0301]-[\u24b6]\u00bd"},
      {R"(\d)", "1\u0663\u00bd", "[1][\u0663]\u00bd"},
      {R"((?i:'s))", "it's IT'S it'\u017f", "it['s] IT['S] it['\u017f]"},
      {R"([ab[cd]]+)", "abcde", "[abcd]e"},
      {R"([^(\s|[.,])]+)", "a(b).c", "[a]([b]).[c]"},
      {R"([\s\-a]+)", "b -a", "b[ -a]"},
      {R"([\s-a]+)", "b -a", "b[ -a]"},
      {R"([]a]+)", "]ab", "[]a]b"},
      {R"(\h+)", "fg09", "[f]g[09]"},
      {R"(\u0061)", "ba", "b[a]"},
      {R"(\b\w)", "ab cd\u0301e", "[a]b [c]d\u0301e"},
      {R"(^a)", "a\na", "[a]\n[a]"},
      {R"(x*)", "axb", "[]a[x]b[]"},
      {R"(\s+(?!\S))", "a   b  ", "a[  ] b[  ]"},
  };
  for (const MatchCase& c : cases) EXPECT_EQ(marked(c.pattern, c.text), c.marked) << c.pattern;
}

TEST(Regex, LeavesInvalidBytesUnmatched) {
  EXPECT_EQ(marked(".",
                   "a\xFF\xFE\xC3"
                   "b\xE2\x96"),
            "[a]\xFF\xFE\xC3[b]\xE2\x96");
}

TEST(Regex, SplitsAMegabyteOfSpaces) {
  const std::string text(1 << 20, ' ');
  EXPECT_EQ(marked(kGpt2Pattern, text), "[" + text + "]");
  EXPECT_EQ(marked(R"(\s*[\r\n]+|\s+(?!\S)|\s+)", text + "x"), "[" + text.substr(1) + "][ ]x");
}

struct RefusedCase {
  const char* pattern;
  ErrorCode code;
  const char* named;
};

TEST(Regex, RefusesWhatPcre2WouldReadDifferently) {
  const RefusedCase cases[] = {
      {"[a&&b]", ErrorCode::kUnsupported, "intersection"},
      {"[a[^b]]", ErrorCode::kUnsupported, "negated class"},
      {"(?m:a)", ErrorCode::kUnsupported, "option"},
      {R"(\G)", ErrorCode::kUnsupported, "\\G"},
      {R"(\K)", ErrorCode::kUnsupported, "\\K"},
      {R"(\u00)", ErrorCode::kUnsupported, "\\u"},
      {R"([\W])", ErrorCode::kUnsupported, "negated type"},
      {"(?R)", ErrorCode::kUnsupported, "group"},
      {"[a", ErrorCode::kUnsupported, "open character class"},
      {"\\", ErrorCode::kUnsupported, "backslash"},
      {"(a", ErrorCode::kCorruptData, "(a"},
      {R"(\p{Klingon})", ErrorCode::kCorruptData, "Klingon"},
  };
  for (const RefusedCase& c : cases) {
    const Result<Regex> regex = Regex::compile(c.pattern, "file: field");
    ASSERT_FALSE(regex) << c.pattern;
    EXPECT_EQ(regex.error().code, c.code) << c.pattern;
    EXPECT_TRUE(regex.error().message.starts_with("file: field")) << regex.error().message;
    EXPECT_NE(regex.error().message.find(c.named), std::string::npos) << regex.error().message;
  }
}

TEST(Regex, StopsExponentialBacktracking) {
  const Result<Regex> regex = Regex::compile("(?:a|aa)+$", "test");
  ASSERT_TRUE(regex);
  RegexScratch scratch;
  std::vector<Span> spans;
  const Status status = regex->find_all(std::string(200, 'a') + "b", scratch, spans);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace anybit::model::internal
