#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

#include "anybit/base/file.h"
#include "anybit/model/tokenizer/gguf_tokenizer.h"
#include "anybit/model/tokenizer/internal/regex.h"
#include "anybit/model/tokenizer/pre_tokenizer_table.h"
#include "anybit/model/tokenizer/tokenizer.h"
#include "anybit/tensor/io/gguf.h"

namespace anybit::model {
namespace {

using Ids = std::vector<int32_t>;

constexpr int32_t kNormal = static_cast<int32_t>(TokenType::kNormal);
constexpr int32_t kUnknown = static_cast<int32_t>(TokenType::kUnknown);
constexpr int32_t kControl = static_cast<int32_t>(TokenType::kControl);
constexpr int32_t kUserDefined = static_cast<int32_t>(TokenType::kUserDefined);
constexpr int32_t kUnused = static_cast<int32_t>(TokenType::kUnused);
constexpr int32_t kByte = static_cast<int32_t>(TokenType::kByte);

TokenizerData make_scored() {
  TokenizerData data;
  data.model = "llama";
  data.tokens = {"<unk>", "<s>", "</s>",    "<0xC3>", "<0xA9>", "\u2581", "a",
                 "b",     "ab",  "\u2581a", "abab",   "[U]",    "ba"};
  data.scores = {0, 0, 0, 0, 0, -9, -8, -7, -2, -3, -1, 0, -2};
  data.token_types = {kUnknown, kControl, kControl, kByte,   kByte,        kNormal, kNormal,
                      kNormal,  kNormal,  kNormal,  kUnused, kUserDefined, kNormal};
  data.bos_id = 1;
  data.eos_id = 2;
  data.unknown_id = 0;
  return data;
}

Ids encode(const TokenizerData& data, std::string_view text, EncodeOptions options = {}) {
  const auto tokenizer = Tokenizer::from_gguf_data(data, "test.gguf");
  EXPECT_TRUE(tokenizer) << tokenizer.error().message;
  const auto ids = tokenizer->encode(text, options);
  EXPECT_TRUE(ids) << ids.error().message;
  return *ids;
}

TEST(LoadGguf, MergesByScoreLeftmostFirst) {
  TokenizerData data = make_scored();
  EXPECT_EQ(encode(data, "b"), Ids({1, 5, 7}));
  EXPECT_EQ(encode(data, "ab"), Ids({1, 5, 8}));  // "ab" outscores "▁a".
  data.add_space_prefix = false;
  EXPECT_EQ(encode(data, "aba"), Ids({1, 8, 6}));   // "ab" and "ba" score alike.
  EXPECT_EQ(encode(data, "abab"), Ids({1, 8, 8}));  // "abab" is unused: taken apart.
  EXPECT_EQ(encode(data, "\u00e9\u00e8"), Ids({1, 3, 4, 0}));
  EXPECT_EQ(encode(data, "a[U]</s>"), Ids({1, 6, 11, 2}));
  EXPECT_EQ(encode(data, "a[U]", {.add_special = false, .parse_special = false}), Ids({6, 11}));
}

TEST(LoadGguf, PutsASpaceBeforeEachTextAfterASpecialToken) {
  EXPECT_EQ(encode(make_scored(), "a</s>a"), Ids({1, 9, 2, 9}));
  const auto tokenizer = Tokenizer::from_gguf_data(make_scored(), "test.gguf");
  EXPECT_EQ(tokenizer->decode(Ids({1, 9, 3, 4})), "a\u00e9");
  EXPECT_EQ(tokenizer->token_bytes(9), " a");
  EXPECT_EQ(tokenizer->token_bytes(3), "\xC3");
}

TEST(LoadGguf, CollapsesSpacesWhereTheFileAsks) {
  TokenizerData data = make_scored();
  EXPECT_EQ(encode(data, " a  a "), Ids({1, 5, 9, 5, 9, 5}));
  data.collapse_spaces = true;
  EXPECT_EQ(encode(data, " a  a "), Ids({1, 9, 9}));
}

TEST(LoadGguf, AddsTokensAsTheFileSays) {
  TokenizerData data = make_scored();
  data.add_bos = false;
  data.add_eos = true;
  EXPECT_EQ(encode(data, "a"), Ids({9, 2}));
  data.bos_id.reset();
  data.add_bos.reset();
  EXPECT_EQ(encode(data, ""), Ids({2}));
}

struct BrokenCase {
  void (*change)(TokenizerData&);
  ErrorCode code;
  const char* message;
};

TEST(LoadGguf, NamesWhatIsWrong) {
  const BrokenCase cases[] = {
      {[](TokenizerData& d) { d.model = "bert"; }, ErrorCode::kUnsupported,
       "test.gguf: tokenizer.ggml.model: expected gpt2 or llama, found \"bert\""},
      {[](TokenizerData& d) { d.tokens.clear(); }, ErrorCode::kCorruptData,
       "test.gguf: tokenizer.ggml.tokens: expected 1 to 16777216 tokens, found 0"},
      {[](TokenizerData& d) { d.scores.pop_back(); }, ErrorCode::kCorruptData,
       "test.gguf: tokenizer.ggml.scores: expected 13 entries, one a token, found 12"},
      {[](TokenizerData& d) { d.scores[4] = NAN; }, ErrorCode::kCorruptData,
       "test.gguf: tokenizer.ggml.scores[4]: expected a number, found NaN"},
      {[](TokenizerData& d) { d.token_types.pop_back(); }, ErrorCode::kCorruptData,
       "test.gguf: tokenizer.ggml.token_type: expected 13 entries, one a token, found 12"},
      {[](TokenizerData& d) { d.tokens[7] = "a"; }, ErrorCode::kCorruptData,
       "test.gguf: tokenizer.ggml.tokens[7]: expected a token of its own, found \"a\", which is "
       "also [6]"},
      {[](TokenizerData& d) { d.eos_id = 13; }, ErrorCode::kCorruptData,
       "test.gguf: tokenizer.ggml.eos_token_id: expected an id below 13, found 13"},
      {[](TokenizerData& d) { d.padding_id = -1; }, ErrorCode::kCorruptData,
       "test.gguf: tokenizer.ggml.padding_token_id: expected an id below 13, found -1"},
      {[](TokenizerData& d) {
         d.add_eos = true;
         d.eos_id.reset();
       },
       ErrorCode::kCorruptData,
       "test.gguf: tokenizer.ggml.eos_token_id: expected an id, as add_eos_token asks for it, "
       "found none"},
      {[](TokenizerData& d) {
         d.model = "gpt2";
         d.pre = "martian";
       },
       ErrorCode::kUnsupported,
       "test.gguf: tokenizer.ggml.pre: the pre-tokenizer \"martian\" is not supported"},
      {[](TokenizerData& d) {
         d.model = "gpt2";
         d.merges = {"ab"};
       },
       ErrorCode::kCorruptData,
       "test.gguf: tokenizer.ggml.merges[0]: expected two tokens, found \"ab\""},
      {[](TokenizerData& d) {
         d.model = "gpt2";
         d.merges = {"a b", ""};
       },
       ErrorCode::kCorruptData,
       "test.gguf: tokenizer.ggml.merges[1]: expected two tokens, found \"\""},
      {[](TokenizerData& d) {
         d.model = "gpt2";
         d.merges = {"b b"};
       },
       ErrorCode::kCorruptData,
       "test.gguf: tokenizer.ggml.merges[0]: expected tokens of tokenizer.ggml.tokens, found "
       "\"bb\""},
  };
  for (const BrokenCase& c : cases) {
    TokenizerData data = make_scored();
    c.change(data);
    const auto tokenizer = Tokenizer::from_gguf_data(data, "test.gguf");
    ASSERT_FALSE(tokenizer) << c.message;
    EXPECT_EQ(tokenizer.error().message, c.message);
    EXPECT_EQ(tokenizer.error().code, c.code);
  }
}

TEST(LoadGguf, CompilesEveryNamedPreTokenizer) {
  for (const PreTokenizerRow& row : pre_tokenizer_table()) {
    EXPECT_EQ(find_pre_tokenizer(row.name), &row) << "a name given twice: " << row.name;
    for (const std::string_view pattern : row.patterns) {
      const auto regex = internal::Regex::compile(pattern, row.name);
      EXPECT_TRUE(regex) << regex.error().message;
    }
  }
}

TEST(LoadGguf, RefusesAMetadataValueOfAnotherType) {
  tensor::GgufMetadata metadata("test.gguf");
  EXPECT_EQ(read_tokenizer_data(metadata).error().code, ErrorCode::kNotFound);
  metadata.set_string("tokenizer.ggml.model", "llama");
  metadata.set_strings("tokenizer.ggml.tokens", {"a"});
  metadata.set_int32s("tokenizer.ggml.token_type", {9});
  const auto data = read_tokenizer_data(metadata);
  ASSERT_FALSE(data);
  EXPECT_EQ(data.error().message,
            "tokenizer.ggml.token_type[0]: expected a token type of 0 to 6, found 9");
  metadata.set_string("tokenizer.ggml.token_type", "normal");
  EXPECT_EQ(read_tokenizer_data(metadata).error().code, ErrorCode::kCorruptData);
}

std::vector<std::string> split_texts(std::string_view text, std::string_view separator) {
  std::vector<std::string> parts;
  while (true) {
    const size_t end = text.find(separator);
    parts.emplace_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + separator.size());
  }
}

class VocabularyFile : public testing::TestWithParam<const char*> {};

TEST_P(VocabularyFile, GivesTheExpectedIds) {
  const std::filesystem::path folder = ANYBIT_SOURCE_DIR "/../shared/data/tokenizers";
  if (!std::filesystem::exists(folder))
    GTEST_SKIP() << "no " << folder << ": shared data is absent";
  const std::string path = folder / (std::string("ggml-vocab-") + GetParam() + ".gguf");
  const auto file = tensor::open_gguf(path);
  ASSERT_TRUE(file) << file.error().message;
  const auto data = read_tokenizer_data(file->metadata);
  ASSERT_TRUE(data) << data.error().message;
  const auto tokenizer = Tokenizer::from_gguf_data(*data, path);
  ASSERT_TRUE(tokenizer) << tokenizer.error().message;
  const auto inputs = split_texts(*read_text_file(path + ".inp"), "\n__ggml_vocab_test__\n");
  const auto lines = split_texts(*read_text_file(path + ".out"), "\n");
  ASSERT_GE(lines.size(), inputs.size());
  for (size_t i = 0; i < inputs.size(); ++i) {
    std::istringstream line(lines[i]);
    const Ids expected{std::istream_iterator<int32_t>(line), {}};
    EXPECT_EQ(tokenizer->encode(inputs[i], {.add_special = false, .parse_special = false}),
              expected)
        << inputs[i];
  }
}

INSTANTIATE_TEST_SUITE_P(All, VocabularyFile,
                         testing::Values("falcon", "gpt-2", "llama-spm", "phi-3", "starcoder"));

}  // namespace
}  // namespace anybit::model
