#include "anybit/model/tokenizer/tokenizer_to_gguf.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "anybit/base/file.h"
#include "anybit/base/json.h"
#include "anybit/model/tokenizer/gguf_tokenizer.h"
#include "anybit/model/tokenizer/pre_tokenizer_table.h"
#include "anybit/model/tokenizer/tokenizer_json.h"
#include "anybit/tensor/io/gguf.h"

namespace anybit::model {
namespace {

constexpr std::string_view kText =
    "It's 2024, and we'll see:\n\n  caf\u00e9 \u0416\u0443\u043a \u65e5\u672c 12345 (a+b)*c</s>  ";

// A BPE of characters with byte fallback, as SentencePiece models become in tokenizer.json.
Json make_scored() {
  const std::vector<std::string> tokens = {"<unk>",  "<s>", "</s>", "<0x41>", "<0xC3>",  "<0xA9>",
                                           "\u2581", "a",   "b",    "ab",     "\u2581ab"};
  Json vocab = Json::object();
  for (size_t id = 0; id < tokens.size(); ++id) vocab[tokens[id]] = id;
  const auto added = [](int id, const char* content, bool special) {
    return Json{{"id", id}, {"content", content}, {"special", special}, {"normalized", false}};
  };
  return {{"version", "1.0"},
          {"added_tokens",
           {added(0, "<unk>", true), added(1, "<s>", true), added(2, "</s>", true),
            added(12, "<tool>", false)}},
          {"normalizer",
           {{"type", "Sequence"},
            {"normalizers",
             {{{"type", "Prepend"}, {"prepend", "\u2581"}},
              {{"type", "Replace"}, {"pattern", {{"String", " "}}}, {"content", "\u2581"}}}}}},
          {"pre_tokenizer", nullptr},
          {"decoder", nullptr},
          {"model",
           {{"type", "BPE"},
            {"unk_token", "<unk>"},
            {"byte_fallback", true},
            {"vocab", vocab},
            {"merges", {"a b", "\u2581 ab"}}}}};
}

Result<TokenizerData> convert(const Json& json, int64_t vocab_size,
                              const SpecialTokens& special = {}) {
  const auto loaded = Tokenizer::load_json(json.dump(), "tokenizer.json", special);
  EXPECT_TRUE(loaded) << loaded.error().message;
  return tokenizer_data_from_json(json.dump(), "tokenizer.json", *loaded, vocab_size);
}

TEST(TokenizerToGguf, WritesMergeRanksAsScores) {
  const auto data = convert(make_scored(), 14, {.bos = "<s>", .eos = "</s>", .add_bos = true});
  ASSERT_TRUE(data) << data.error().message;
  EXPECT_EQ(data->model, "llama");
  EXPECT_EQ(data->add_space_prefix, true);
  EXPECT_EQ(data->scores[9], 0);
  EXPECT_EQ(data->scores[10], -1);
  EXPECT_EQ(data->scores[7], -2);
  const auto type = [&](size_t id) { return static_cast<TokenType>(data->token_types[id]); };
  EXPECT_EQ(type(0), TokenType::kUnknown);
  EXPECT_EQ(type(1), TokenType::kControl);
  EXPECT_EQ(type(4), TokenType::kByte);
  EXPECT_EQ(type(9), TokenType::kNormal);
  EXPECT_EQ(type(11), TokenType::kUnused);
  EXPECT_EQ(data->tokens[11], "[PAD11]");
  EXPECT_EQ(type(12), TokenType::kUserDefined);
  EXPECT_EQ(type(13), TokenType::kUnused);
  EXPECT_EQ(data->bos_id, 1);
  EXPECT_EQ(data->eos_id, 2);
  EXPECT_EQ(data->unknown_id, 0);
  EXPECT_EQ(data->add_bos, true);
  EXPECT_EQ(data->add_eos, false);
}

TEST(TokenizerToGguf, MetadataReadsBackAsTheSameData) {
  const auto data = convert(make_scored(), 13, {.bos = "<s>", .eos = "</s>", .add_bos = true});
  ASSERT_TRUE(data) << data.error().message;
  tensor::GgufMetadata metadata;
  write_tokenizer_data(*data, "{{ messages }}", metadata);
  const auto read = read_tokenizer_data(metadata);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->tokens, data->tokens);
  EXPECT_EQ(read->scores, data->scores);
  EXPECT_EQ(read->token_types, data->token_types);
  EXPECT_EQ(read->bos_id, data->bos_id);
  EXPECT_EQ(read->unknown_id, data->unknown_id);
  EXPECT_EQ(read->add_bos, data->add_bos);
  EXPECT_EQ(read->add_space_prefix, data->add_space_prefix);
  EXPECT_EQ(*metadata.get_string("tokenizer.chat_template"), "{{ messages }}");
  const auto from_json = Tokenizer::load_json(make_scored().dump(), "json",
                                              {.bos = "<s>", .eos = "</s>", .add_bos = true});
  const auto from_gguf = Tokenizer::from_gguf_data(*read, "gguf");
  ASSERT_TRUE(from_gguf) << from_gguf.error().message;
  for (const char* text : {"ab", "ab ab", "aab\u00e9", "A</s>b<tool>"}) {
    EXPECT_EQ(*from_gguf->encode(text), *from_json->encode(text)) << text;
  }
}

TEST(TokenizerToGguf, KeepsToTheRowsOfTheEmbedding) {
  const auto dropped = convert(make_scored(), 12);  // <tool>, 12, is an added token.
  ASSERT_TRUE(dropped) << dropped.error().message;
  EXPECT_EQ(dropped->tokens.size(), 12U);
  const auto too_few = convert(make_scored(), 10);
  ASSERT_FALSE(too_few);
  EXPECT_EQ(too_few.error().code, ErrorCode::kCorruptData);
  EXPECT_NE(too_few.error().message.find("found 10 of \"\u2581ab\""), std::string::npos);
}

TEST(TokenizerToGguf, NamesWhatTheFormatLacks) {
  const auto expect = [](const Json& json, std::string_view part) {
    const auto data = convert(json, 16);
    ASSERT_FALSE(data) << part;
    EXPECT_EQ(data.error().code, ErrorCode::kUnsupported);
    EXPECT_NE(data.error().message.find(part), std::string::npos) << data.error().message;
  };
  Json json = make_scored();
  json["normalizer"]["normalizers"].push_back({{"type", "Lowercase"}});
  expect(json, "Lowercase");
  json = make_scored();
  json["normalizer"] = nullptr;
  expect(json, "keeps spaces");
  json = make_scored();
  json["model"]["byte_fallback"] = false;
  expect(json, "neither byte-level nor of byte fallback");
  json = make_scored();
  json["post_processor"] = {
      {"type", "TemplateProcessing"},
      {"single",
       {{{"SpecialToken", {{"id", "<s>"}}}},
        {{"SpecialToken", {{"id", "</s>"}}}},
        {{"Sequence", {{"id", "A"}}}}}},
      {"special_tokens", {{"<s>", {{"ids", {1}}}}, {"</s>", {{"ids", {2}}}}}}};
  expect(json, "2 tokens before a text");
}

// Every pre-tokenizer that tokenizer_json() can write is found again by its patterns.
TEST(TokenizerToGguf, FindsEveryPreTokenizerByItsPatterns) {
  for (const PreTokenizerRow& row : pre_tokenizer_table()) {
    TokenizerData data;
    data.model = "gpt2";
    data.pre = row.name;
    data.tokens = {"a", "b", "ab", "<|end|>"};
    data.token_types = {1, 1, 1, static_cast<int32_t>(TokenType::kControl)};
    data.merges = {"a b"};
    data.bos_id = data.eos_id = 3;
    const auto text = tokenizer_json(data);
    ASSERT_TRUE(text) << text.error().message;
    const auto loaded = Tokenizer::load_json(*text, "j", {.bos = "<|end|>", .eos = "<|end|>"});
    ASSERT_TRUE(loaded) << loaded.error().message;
    const auto back = tokenizer_data_from_json(*text, "j", *loaded, 4);
    ASSERT_TRUE(back) << row.name << ": " << back.error().message;
    const PreTokenizerRow* found = find_pre_tokenizer(back->pre);
    ASSERT_NE(found, nullptr);
    EXPECT_TRUE(std::ranges::equal(found->patterns, row.patterns)) << row.name << " " << back->pre;
    EXPECT_EQ(found->ignore_merges, row.ignore_merges);
    EXPECT_EQ(back->tokens, data.tokens);
    EXPECT_EQ(back->token_types, data.token_types);
    EXPECT_EQ(back->merges, data.merges);
    EXPECT_EQ(back->add_bos, row.add_bos);
  }
}

// Patterns as the models' own files spell them. Source: tokenizer.json of Llama 3 and Qwen 2.
TEST(TokenizerToGguf, KnowsPatternsThatListContractions) {
  const auto pre_of = [](const char* digits, bool ignore_merges) {
    const std::string regex =
        std::string(R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|)") + digits +
        R"(| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
    const Json byte_level = {
        {"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", false}};
    const Json json = {{"version", "1.0"},
                       {"normalizer", {{"type", "NFC"}}},
                       {"pre_tokenizer",
                        {{"type", "Sequence"},
                         {"pretokenizers",
                          {{{"type", "Split"},
                            {"pattern", {{"Regex", regex}}},
                            {"behavior", "Isolated"},
                            {"invert", false}},
                           byte_level}}}},
                       {"decoder", {{"type", "ByteLevel"}}},
                       {"model",
                        {{"type", "BPE"},
                         {"ignore_merges", ignore_merges},
                         {"vocab", {{"a", 0}}},
                         {"merges", Json::array()}}}};
    const auto data = convert(json, 1);
    EXPECT_TRUE(data) << data.error().message;
    return data ? data->pre : "";
  };
  EXPECT_EQ(pre_of(R"(\p{N}{1,3})", true), "llama3");
  EXPECT_EQ(pre_of(R"(\p{N}{1,3})", false), "dbrx");
  EXPECT_EQ(pre_of(R"(\p{N})", false), "qwen2");
}

class VocabularyRoundTrip : public testing::TestWithParam<const char*> {};

TEST_P(VocabularyRoundTrip, GivesTheSameIds) {
  const std::filesystem::path folder = ANYBIT_SOURCE_DIR "/../shared/data/tokenizers";
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << folder << " is absent";
  const std::string path = folder / (std::string("ggml-vocab-") + GetParam() + ".gguf");
  const auto file = tensor::open_gguf(path);
  ASSERT_TRUE(file) << file.error().message;
  const auto data = read_tokenizer_data(file->metadata);
  ASSERT_TRUE(data) << data.error().message;
  const auto text = tokenizer_json(*data);
  ASSERT_TRUE(text) << text.error().message;
  const auto loaded = Tokenizer::load_json(*text, path);
  ASSERT_TRUE(loaded) << loaded.error().message;
  const auto back = tokenizer_data_from_json(*text, path, *loaded, std::ssize(data->tokens));
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(back->tokens, data->tokens);
  EXPECT_EQ(back->merges, data->merges);
  const auto expected = Tokenizer::from_gguf_data(*data, path);
  const auto found = Tokenizer::from_gguf_data(*back, path);
  ASSERT_TRUE(found) << found.error().message;
  const auto samples = read_text_file(path + ".inp");
  ASSERT_TRUE(samples) << samples.error().message;
  EXPECT_EQ(*found->encode(*samples), *expected->encode(*samples));
  EXPECT_EQ(*found->encode(kText), *expected->encode(kText));
}

INSTANTIATE_TEST_SUITE_P(All, VocabularyRoundTrip,
                         testing::Values("falcon", "gpt-2", "llama-spm", "starcoder"),
                         [](const auto& info) {
                           std::string name = info.param;
                           std::ranges::replace(name, '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace anybit::model
