#include "anybit/model/tokenizer/internal/pre_tokenizer.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace anybit::model::internal {
namespace {

std::vector<std::string> pieces_of(const PreTokenizerStep& step, std::string_view text,
                                   bool at_start = true) {
  TextStore store;
  RegexScratch scratch;
  const auto pieces = pre_tokenize({step}, {text, at_start}, store, scratch);
  std::vector<std::string> out;
  if (!pieces) return {pieces.error().message};
  for (const Piece& piece : *pieces) out.emplace_back(piece.text);
  return out;
}

using Pieces = std::vector<std::string>;

TEST(PreTokenizer, TreatsDelimitersAsAsked) {
  const auto split = [](std::string_view text, SplitBehavior behavior, bool invert = false) {
    return pieces_of(SplitStep{{"-", std::nullopt}, behavior, invert}, text);
  };
  constexpr std::string_view kText = "the-final--countdown";
  EXPECT_EQ(split(kText, SplitBehavior::kRemoved), Pieces({"the", "final", "countdown"}));
  EXPECT_EQ(split(kText, SplitBehavior::kIsolated),
            Pieces({"the", "-", "final", "-", "-", "countdown"}));
  EXPECT_EQ(split(kText, SplitBehavior::kMergedWithPrevious),
            Pieces({"the-", "final-", "-", "countdown"}));
  EXPECT_EQ(split(kText, SplitBehavior::kMergedWithNext),
            Pieces({"the", "-final", "-", "-countdown"}));
  EXPECT_EQ(split(kText, SplitBehavior::kContiguous),
            Pieces({"the", "-", "final", "--", "countdown"}));
  EXPECT_EQ(split("--a", SplitBehavior::kMergedWithPrevious), Pieces({"-", "-", "a"}));
  EXPECT_EQ(split("a--", SplitBehavior::kMergedWithNext), Pieces({"a", "-", "-"}));
  EXPECT_EQ(split(kText, SplitBehavior::kRemoved, true), Pieces({"-", "-", "-"}));
}

TEST(PreTokenizer, SplitsAtCharacterSets) {
  EXPECT_EQ(pieces_of(CharacterSplitStep{CharacterSet::kNumeric, SplitBehavior::kContiguous},
                      "a12\u00bdb"),
            Pieces({"a", "12\u00bd", "b"}));
  EXPECT_EQ(pieces_of(CharacterSplitStep{CharacterSet::kPunctuation, SplitBehavior::kIsolated},
                      "a$\u3002\xFF"),
            Pieces({"a", "$", "\u3002", "\xFF"}));
  EXPECT_EQ(pieces_of(CharacterSplitStep{CharacterSet::kWhitespace, SplitBehavior::kRemoved},
                      " a\u3000b "),
            Pieces({"a", "b"}));
}

TEST(PreTokenizer, SpellsBytesForTheStepsAfter) {
  EXPECT_EQ(pieces_of(ByteLevelStep{false, std::nullopt, true}, " \u00b2"),
            Pieces({"\u0120\u00c2\u00b2"}));
  EXPECT_EQ(pieces_of(ByteLevelStep{true, std::nullopt, false}, "a"), Pieces({" a"}));
  EXPECT_EQ(pieces_of(ByteLevelStep{true, std::nullopt, false}, " a"), Pieces({" a"}));
}

TEST(PreTokenizer, WritesAndPrependsMetaspace) {
  const std::string mark(kMetaspaceText);
  const auto split = [&](std::string_view text, PrependScheme scheme, bool at_start) {
    return pieces_of(MetaspaceStep{mark, scheme, true}, text, at_start);
  };
  const Pieces marked = {mark + "a", mark + "b"};
  EXPECT_EQ(split("a b", PrependScheme::kAlways, false), marked);
  EXPECT_EQ(split(" a b", PrependScheme::kAlways, false), marked);
  EXPECT_EQ(split("a b", PrependScheme::kFirst, true), marked);
  EXPECT_EQ(split("a b", PrependScheme::kFirst, false), Pieces({"a", mark + "b"}));
  EXPECT_EQ(split("a b", PrependScheme::kNever, true), Pieces({"a", mark + "b"}));
  EXPECT_EQ(split("", PrependScheme::kAlways, true), Pieces());
}

}  // namespace
}  // namespace anybit::model::internal
