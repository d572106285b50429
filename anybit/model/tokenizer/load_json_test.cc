#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "anybit/base/file.h"
#include "anybit/base/json.h"
#include "anybit/model/tokenizer/tokenizer.h"

namespace anybit::model {
namespace {

using Ids = std::vector<int32_t>;

// A small byte-level BPE: the 256 bytes, "Ġh", "Ġhi", and one special token after them.
Json make_byte_level() {
  Json vocab = Json::object();
  int32_t next = 0;
  const auto add = [&](std::string token) { vocab[std::move(token)] = next++; };
  for (int32_t code_point = 0; next < 256; ++code_point) {
    const bool is_printable = (code_point > 0x20 && code_point < 0x7F) ||
                              (code_point > 0xA0 && code_point != 0xAD && code_point < 0x144);
    if (!is_printable) continue;
    std::string token;
    if (code_point < 0x80) {
      token = static_cast<char>(code_point);
    } else {
      token = {static_cast<char>(0xC0 | code_point >> 6),
               static_cast<char>(0x80 | (code_point & 0x3F))};
    }
    add(token);
  }
  add("\u0120h");
  add("\u0120hi");
  return {{"version", "1.0"},
          {"added_tokens", {{{"id", 258}, {"content", "<|end|>"}, {"special", true}}}},
          {"normalizer", nullptr},
          {"pre_tokenizer", {{"type", "ByteLevel"}, {"add_prefix_space", false}}},
          {"post_processor", nullptr},
          {"decoder", {{"type", "ByteLevel"}}},
          {"model", {{"type", "BPE"}, {"vocab", vocab}, {"merges", {"\u0120 h", "\u0120h i"}}}}};
}

Result<Tokenizer> load(const Json& json, const SpecialTokens& special = {}) {
  return Tokenizer::load_json(json.dump(), "tokenizer.json", special);
}

TEST(LoadJson, EncodesAndDecodesByteLevel) {
  const auto tokenizer = load(make_byte_level());
  ASSERT_TRUE(tokenizer) << tokenizer.error().message;
  EXPECT_EQ(tokenizer->vocab_size(), 259);
  EXPECT_EQ(tokenizer->encode(" hi<|end|>"), Ids({257, 258}));
  EXPECT_EQ(tokenizer->decode(Ids({257, 258})), " hi");
  EXPECT_EQ(tokenizer->decode(Ids({257, 258}), {.skip_special = false}), " hi<|end|>");
  EXPECT_EQ(tokenizer->encode("<|end|>", {.parse_special = false})->size(), 7U);
  EXPECT_EQ(tokenizer->token_bytes(257), " hi");
  EXPECT_EQ(tokenizer->token_text(257), "\u0120hi");
  EXPECT_EQ(tokenizer->token_id("<|end|>"), 258);
  EXPECT_EQ(tokenizer->token_id("absent"), std::nullopt);
  EXPECT_TRUE(tokenizer->is_special(258) && !tokenizer->is_special(257));
  EXPECT_TRUE(tokenizer->token_bytes(-1).empty() && tokenizer->token_bytes(259).empty());
  EXPECT_EQ(Ids(tokenizer->end_ids().begin(), tokenizer->end_ids().end()), Ids({258}));
  const auto beyond = tokenizer->decode(Ids({1, 259}));
  ASSERT_FALSE(beyond);
  EXPECT_EQ(beyond.error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(beyond.error().message, "tokenizer.json: ids[1]: expected 0 to 258, found 259");
}

TEST(LoadJson, RoundTripsAnyBytes) {
  const auto tokenizer = load(make_byte_level());
  ASSERT_TRUE(tokenizer);
  std::string bytes;
  for (int i = 0; i < 20'000; ++i) bytes += static_cast<char>((i * 7919 + i / 13) % 256);
  const auto ids = tokenizer->encode(bytes, {.add_special = false, .parse_special = false});
  ASSERT_TRUE(ids);
  EXPECT_EQ(tokenizer->decode(*ids), bytes);
}

TEST(LoadJson, GivesTheSameIdsWithAndWithoutTheWordCache) {
  const auto tokenizer = load(make_byte_level());
  ASSERT_TRUE(tokenizer);
  const std::string part = " hi ho\u00e9 \xFF 12";
  std::string text;
  Ids expected;
  for (int i = 0; i < 1000; ++i) {
    text += part + "\n";
    const auto ids = tokenizer->encode(part + "\n");
    expected.insert(expected.end(), ids->begin(), ids->end());
  }
  EXPECT_EQ(tokenizer->encode(text), expected);
}

TEST(LoadJson, EncodesFromSeveralThreads) {
  const auto tokenizer = load(make_byte_level());
  ASSERT_TRUE(tokenizer);
  std::vector<Ids> results(4);
  std::vector<std::thread> threads;
  for (Ids& result : results) {
    threads.emplace_back([&] {
      for (int i = 0; i < 100; ++i) result = *tokenizer->encode(" hi hih hihi <|end|> hi");
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const Ids& result : results) EXPECT_EQ(result, results[0]);
}

TEST(LoadJson, AddsWhatTheTemplateSays) {
  Json json = make_byte_level();
  json["post_processor"] = {
      {"type", "TemplateProcessing"},
      {"single", {{{"SpecialToken", {{"id", "<|end|>"}}}}, {{"Sequence", {{"id", "A"}}}}}},
      {"special_tokens", {{"<|end|>", {{"ids", {258}}}}}}};
  EXPECT_EQ(load(json)->encode(" h"), Ids({258, 256}));
  EXPECT_EQ(load(json)->encode(" h", {.add_special = false}), Ids({256}));
  const SpecialTokens special = {.bos = "<|end|>", .eos = "\u0120hi", .add_eos = true};
  const auto tokenizer = load(json, special);
  EXPECT_EQ(tokenizer->encode(" h"), Ids({256, 257}));
  EXPECT_EQ(tokenizer->bos_id(), 258);
  EXPECT_EQ(tokenizer->eos_id(), 257);
  EXPECT_EQ(tokenizer->padding_id(), std::nullopt);
  EXPECT_EQ(tokenizer->unknown_id(), std::nullopt);
}

struct BrokenCase {
  const char* pointer;  // What is replaced.
  Json value;
  ErrorCode code;
  std::vector<std::string> named;  // Parts of the message.
};

TEST(LoadJson, NamesWhatIsWrong) {
  const auto kCorrupt = ErrorCode::kCorruptData;
  const auto kUnsupported = ErrorCode::kUnsupported;
  const BrokenCase cases[] = {
      {"", Json::array(), kCorrupt, {"expected an object", "array"}},
      {"/version", "2.0", kUnsupported, {"version", "2.0"}},
      {"/model", nullptr, kCorrupt, {"model", "object"}},
      {"/model/type", "WordPiece", kUnsupported, {"model", "WordPiece"}},
      {"/model/vocab", 3, kCorrupt, {"model", "vocab", "object"}},
      {"/model/vocab/x", int64_t{1} << 40, kCorrupt, {"vocab[\"x\"]", "1099511627776"}},
      {"/model/vocab/x", UINT64_MAX, kCorrupt, {"vocab[\"x\"]", "18446744073709551615"}},
      {"/model/vocab/x", -1, kCorrupt, {"vocab[\"x\"]", "-1"}},
      {"/model/vocab/x", "one", kCorrupt, {"vocab[\"x\"]", "one"}},
      {"/model/vocab/x", 3, kCorrupt, {"vocab[\"", "id of its own", "found 3"}},
      {"/model/merges", nullptr, kCorrupt, {"merges", "array"}},
      {"/model/merges/1", "abc", kCorrupt, {"merges[1]", "two tokens", "abc"}},
      {"/model/merges/0", "a b c", kCorrupt, {"merges[0]", "a b c"}},
      {"/model/merges/0", 7, kCorrupt, {"merges[0]", "7"}},
      {"/model/merges/0", Json::array({"h", "i"}), kCorrupt, {"merges[0]", "hi"}},
      {"/model/dropout", 0.1, kUnsupported, {"dropout"}},
      {"/model/end_of_word_suffix", "</w>", kUnsupported, {"end_of_word_suffix", "</w>"}},
      {"/model/byte_fallback", "yes", kCorrupt, {"byte_fallback", "string"}},
      {"/added_tokens", 1, kCorrupt, {"added_tokens", "array"}},
      {"/added_tokens/0/id", 3, kCorrupt, {"added_tokens[0]", "unused id", "found 3"}},
      {"/added_tokens/0/id", int64_t{1} << 33, kCorrupt, {"added_tokens[0]", "8589934592"}},
      {"/added_tokens/0/content", "h", kCorrupt, {"added_tokens[0]", "\"h\"", "found 258"}},
      {"/added_tokens/0/content", 5, kCorrupt, {"added_tokens[0]", "content", "string"}},
      {"/normalizer", {{"type", "Nmt"}}, kUnsupported, {"normalizer", "Nmt"}},
      {"/normalizer", {{"kind", "NFC"}}, kCorrupt, {"normalizer", "type"}},
      {"/pre_tokenizer",
       {{"type", "Sequence"}, {"pretokenizers", {{{"type", "Alien"}}}}},
       kUnsupported,
       {"pre_tokenizer.pretokenizers[0]", "Alien"}},
      {"/pre_tokenizer",
       {{"type", "Split"}, {"pattern", {{"Regex", "("}}}, {"behavior", "Isolated"}},
       kCorrupt,
       {"pre_tokenizer.pattern", "("}},
      {"/pre_tokenizer",
       {{"type", "Split"}, {"pattern", {{"Regex", "a"}}}, {"behavior", "Lost"}},
       kCorrupt,
       {"pre_tokenizer", "behavior", "Lost"}},
      {"/decoder", {{"type", "CTC"}}, kUnsupported, {"decoder", "CTC"}},
      {"/post_processor", {{"type", "Other"}}, kUnsupported, {"post_processor", "Other"}},
      {"/post_processor",
       {{"type", "TemplateProcessing"}, {"single", {{{"SpecialToken", {{"id", "<z>"}}}}}}},
       kCorrupt,
       {"post_processor", "special_tokens", "<z>"}},
      {"/post_processor",
       {{"type", "BertProcessing"}, {"cls", {"a", 9999}}, {"sep", {"b", 1}}},
       kCorrupt,
       {"post_processor.cls", "9999"}},
  };
  for (const BrokenCase& c : cases) {
    Json json = make_byte_level();
    json[Json::json_pointer(c.pointer)] = c.value;
    const auto tokenizer = load(json);
    ASSERT_FALSE(tokenizer) << c.pointer << " " << c.value;
    const Error& error = tokenizer.error();
    EXPECT_EQ(error.code, c.code) << error.message;
    EXPECT_TRUE(error.message.starts_with("tokenizer.json")) << error.message;
    for (const std::string& part : c.named) {
      EXPECT_NE(error.message.find(part), std::string::npos) << part << " in " << error.message;
    }
  }
}

TEST(LoadJson, RefusesByteLevelTwice) {
  Json json = make_byte_level();
  json["normalizer"] = {{"type", "ByteLevel"}};
  const auto tokenizer = load(json);
  ASSERT_FALSE(tokenizer);
  EXPECT_EQ(tokenizer.error().code, ErrorCode::kUnsupported);
  EXPECT_NE(tokenizer.error().message.find("applied twice"), std::string::npos);
}

TEST(LoadJson, RefusesARoleOutsideTheVocabulary) {
  const auto tokenizer = load(make_byte_level(), {.eos = "</s>"});
  ASSERT_FALSE(tokenizer);
  EXPECT_EQ(tokenizer.error().message,
            "tokenizer.json: eos token: expected a token of the vocabulary, found \"</s>\"");
}

TEST(LoadJson, ReadsAFolder) {
  const std::filesystem::path folder =
      std::filesystem::path(testing::TempDir()) / "anybit_tokenizer_folder";
  std::filesystem::create_directories(folder);
  ASSERT_TRUE(write_file(folder / "tokenizer.json", make_byte_level().dump()));
  const Json config = {{"bos_token", {{"content", "<|end|>"}}}, {"add_bos_token", true}};
  ASSERT_TRUE(write_file(folder / "tokenizer_config.json", config.dump()));
  EXPECT_EQ(Tokenizer::load_folder(folder)->encode(" h"), Ids({258, 256}));
  ASSERT_TRUE(write_file(folder / "tokenizer_config.json", "[]"));
  EXPECT_EQ(Tokenizer::load_folder(folder).error().code, ErrorCode::kCorruptData);
  std::filesystem::remove_all(folder);
  EXPECT_EQ(Tokenizer::load_folder(folder).error().code, ErrorCode::kNotFound);
}

TEST(LoadJson, EncodesTheGoldenPromptOfASharedModel) {
  const std::filesystem::path folder = ANYBIT_SOURCE_DIR "/../shared/models/wiki-28m";
  if (!std::filesystem::exists(folder))
    GTEST_SKIP() << "no " << folder << ": shared data is absent";
  const auto tokenizer = Tokenizer::load_folder(folder);
  ASSERT_TRUE(tokenizer) << tokenizer.error().message;
  const auto golden = parse_json(*read_text_file(folder / "golden.json"), "golden.json");
  ASSERT_TRUE(golden);
  EXPECT_EQ(tokenizer->encode((*golden)["prompt"].get<std::string>()),
            (*golden)["prompt_ids"].get<Ids>());
}

}  // namespace
}  // namespace anybit::model
