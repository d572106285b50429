#include "anybit/model/tokenizer/internal/bpe_model.h"

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "anybit/base/philox.h"

namespace anybit::model::internal {
namespace {

// Random numbers for a test, from the counter-based generator.
class Dice {
 public:
  explicit Dice(uint64_t seed) : philox_(seed) {}
  size_t below(size_t limit) { return philox_.words(counter_++)[0] % limit; }

 private:
  Philox philox_;
  uint64_t counter_ = 0;
};

struct Vocabulary {
  std::vector<std::string> tokens;
  std::map<std::pair<int32_t, int32_t>, Merge> merges;
};

// Letters a to e and random merges of what is there already.
Vocabulary make_vocabulary(Dice& dice, int num_merges) {
  Vocabulary vocabulary;
  for (const char letter : {'a', 'b', 'c', 'd', 'e'}) vocabulary.tokens.emplace_back(1, letter);
  std::map<std::string, int32_t> ids;
  for (size_t i = 0; i < vocabulary.tokens.size(); ++i)
    ids[vocabulary.tokens[i]] = static_cast<int32_t>(i);
  for (int rank = 0; rank < num_merges; ++rank) {
    const auto left = static_cast<int32_t>(dice.below(vocabulary.tokens.size()));
    const auto right = static_cast<int32_t>(dice.below(vocabulary.tokens.size()));
    const std::string joined = vocabulary.tokens[left] + vocabulary.tokens[right];
    const auto [entry, is_fresh] =
        ids.emplace(joined, static_cast<int32_t>(vocabulary.tokens.size()));
    if (is_fresh) vocabulary.tokens.push_back(joined);
    vocabulary.merges[{left, right}] = {rank, entry->second};
  }
  return vocabulary;
}

BpeModel make_model(const Vocabulary& vocabulary, BpeOptions options) {
  TokenTable table;
  for (size_t i = 0; i < vocabulary.tokens.size(); ++i) {
    table.insert(vocabulary.tokens[i], static_cast<int32_t>(i));
  }
  MergeTable merges;
  for (const auto& [pair, merge] : vocabulary.merges) merges.insert(pair.first, pair.second, merge);
  return BpeModel(options, table, table, merges, BpeModel::kNoUnknown,
                  static_cast<int64_t>(vocabulary.tokens.size()), MetaspaceCuts());
}

// The definition: merge the leftmost pair of lowest rank until there is none.
std::vector<int32_t> encode_reference(const Vocabulary& vocabulary, const std::string& word) {
  std::vector<int32_t> ids;
  for (const char letter : word) ids.push_back(letter - 'a');
  while (true) {
    size_t best = ids.size();
    Merge best_merge{MergeTable::kNoMerge, -1};
    for (size_t i = 0; i + 1 < ids.size(); ++i) {
      const auto merge = vocabulary.merges.find({ids[i], ids[i + 1]});
      if (merge == vocabulary.merges.end() || merge->second.rank >= best_merge.rank) continue;
      best = i;
      best_merge = merge->second;
    }
    if (best == ids.size()) return ids;
    ids[best] = best_merge.merged_id;
    ids.erase(ids.begin() + static_cast<ptrdiff_t>(best) + 1);
  }
}

TEST(BpeModel, MergesAsTheDefinitionSays) {
  for (uint64_t seed = 0; seed < 40; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Dice dice(seed);
    const Vocabulary vocabulary = make_vocabulary(dice, 60);
    const BpeModel model = make_model(vocabulary, {.is_byte_level = true});
    WordScratch scratch;
    for (int i = 0; i < 60; ++i) {
      std::string word;  // Both sides of the length where the algorithm changes.
      for (size_t n = 1 + dice.below(100); n > 0; --n) {
        word += "abcde"[dice.below(5)];
      }
      std::vector<int32_t> ids;
      ASSERT_TRUE(model.encode_word(word, scratch, ids));
      EXPECT_EQ(ids, encode_reference(vocabulary, word)) << word;
      std::vector<int32_t> again;  // The second time a whole word may be known.
      ASSERT_TRUE(model.encode_word(word, scratch, again));
      EXPECT_EQ(again, ids);
    }
  }
}

TEST(BpeModel, MergesAMegabyteWordOfOneLetter) {
  Vocabulary vocabulary;
  vocabulary.tokens = {"a"};
  for (int32_t i = 0; i < 16; ++i) {
    vocabulary.tokens.push_back(vocabulary.tokens.back() + vocabulary.tokens.back());
    vocabulary.merges[{i, i}] = {i, i + 1};
  }
  const BpeModel model = make_model(vocabulary, {.is_byte_level = true});
  WordScratch scratch;
  std::vector<int32_t> ids;
  ASSERT_TRUE(model.encode_word(std::string(1 << 20, 'a'), scratch, ids));
  EXPECT_EQ(ids, std::vector<int32_t>(16, 16));
}

TEST(BpeModel, TakesAnUnreachableWholeWordOnlyIfMergesAreIgnored) {
  Vocabulary vocabulary;
  vocabulary.tokens = {"a", "b", "ab"};
  WordScratch scratch;
  for (const bool ignore_merges : {false, true}) {
    const BpeModel model =
        make_model(vocabulary, {.is_byte_level = true, .ignore_merges = ignore_merges});
    std::vector<int32_t> ids;
    ASSERT_TRUE(model.encode_word("ab", scratch, ids));
    EXPECT_EQ(ids, ignore_merges ? std::vector<int32_t>({2}) : std::vector<int32_t>({0, 1}));
  }
}

struct UnknownCase {
  const char* word;
  bool byte_fallback;
  bool fuse_unknown;
  std::vector<int32_t> ids;
};

TEST(BpeModel, TreatsUnknownCharactersAsAsked) {
  TokenTable table;
  const std::string tokens[] = {"<unk>", "a", "<0xC3>", "<0xA9>"};
  for (int32_t id = 0; id < 4; ++id) table.insert(tokens[id], id);
  const UnknownCase cases[] = {
      {"a\u00e8\u00e8a", false, false, {1, 0, 0, 1}},
      {"a\u00e8\u00e8a", false, true, {1, 0, 1}},
      {"a\u00e9", true, false, {1, 2, 3}},
      {"a\u00e8", true, false, {1, 0}},
      {"\u00e8\u00e9", true, false, {2, 3, 0}},
      {"a\xC3", true, false, {1, 2}},
      {"\xFF", true, false, {0}},
  };
  WordScratch scratch;
  for (const UnknownCase& c : cases) {
    const BpeModel model({.byte_fallback = c.byte_fallback, .fuse_unknown = c.fuse_unknown}, table,
                         table, MergeTable(), 0, 4, MetaspaceCuts());
    std::vector<int32_t> ids;
    ASSERT_TRUE(model.encode_word(c.word, scratch, ids));
    EXPECT_EQ(ids, c.ids) << c.word;
  }
}

TEST(BpeModel, ReportsAMissingUnknownToken) {
  TokenTable table;
  table.insert("a", 0);
  const BpeModel model({}, table, table, MergeTable(), BpeModel::kMissingUnknown, 1,
                       MetaspaceCuts());
  WordScratch scratch;
  std::vector<int32_t> ids;
  const Status status = model.encode_word("b", scratch, ids);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, ErrorCode::kCorruptData);
  EXPECT_NE(status.error().message.find("unk_token"), std::string::npos);
}

}  // namespace
}  // namespace anybit::model::internal
