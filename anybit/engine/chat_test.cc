#include "anybit/engine/chat.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace anybit::engine {
namespace {

/// A vocabulary of all bytes (ids 1 to 256), "hi" (257), and two marks of turns (258, 259).
constexpr int32_t kHi = 257, kStart = 258, kEnd = 259;

int32_t id_of(char byte) { return 1 + static_cast<uint8_t>(byte); }

model::Tokenizer make_tokenizer() {
  std::string vocab = R"("<unk>":0)";
  for (int byte = 0; byte < 256; ++byte) {
    // 'h' and 'i' are letters, so that a merge can join them; all else falls back to bytes.
    if (byte == 'h' || byte == 'i') {
      vocab += fmt::format(R"(,"{}":{})", static_cast<char>(byte), byte + 1);
    } else {
      vocab += fmt::format(R"(,"<0x{:02X}>":{})", byte, byte + 1);
    }
  }
  vocab += R"(,"hi":257)";
  const std::string mark =
      R"({{"id":{},"content":"{}","special":true,"single_word":false,"lstrip":false,)"
      R"("rstrip":false,"normalized":false}})";
  const std::string json = fmt::format(
      R"({{"version":"1.0","truncation":null,"padding":null,"added_tokens":[{},{}],)"
      R"("normalizer":null,"pre_tokenizer":null,"post_processor":null,)"
      R"("decoder":{{"type":"Sequence","decoders":[{{"type":"ByteFallback"}},{{"type":"Fuse"}}]}},)"
      R"("model":{{"type":"BPE","dropout":null,"unk_token":"<unk>",)"
      R"("continuing_subword_prefix":null,"end_of_word_suffix":null,"fuse_unk":false,)"
      R"("byte_fallback":true,"ignore_merges":false,"vocab":{{{}}},"merges":["h i"]}}}})",
      fmt::format(fmt::runtime(mark), kStart, "<|im_start|>"),
      fmt::format(fmt::runtime(mark), kEnd, "<|im_end|>"), vocab);
  Result<model::Tokenizer> tokenizer = model::Tokenizer::load_json(json, "test.json");
  EXPECT_TRUE(tokenizer) << tokenizer.error().message;
  return std::move(*tokenizer);
}

model::ChatTemplate make_template() {
  Result<model::ChatTemplate> result = model::ChatTemplate::parse(
      "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
      "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}",
      "template");
  EXPECT_TRUE(result) << result.error().message;
  return std::move(*result);
}

/// Says the given tokens, one after each forward pass that asks for logits.
class ScriptedModel : public SequenceModel {
 public:
  explicit ScriptedModel(std::vector<int32_t> script, int64_t capacity = 1000)
      : script_(std::move(script)), capacity_(capacity) {}

  int64_t vocab_size() const override { return 260; }
  int64_t capacity() const override { return capacity_; }
  int64_t length() const override { return std::ssize(tokens); }

  Status forward(std::span<const int32_t> added, std::span<float> last_logits) override {
    tokens.insert(tokens.end(), added.begin(), added.end());
    if (last_logits.empty()) return {};
    if (next_ == script_.size()) return fail(ErrorCode::kDeviceError, "the script is over");
    std::ranges::fill(last_logits, 0.0f);
    last_logits[script_[next_++]] = 1;
    return {};
  }

  void truncate(int64_t length) override { tokens.resize(length); }

  std::vector<int32_t> tokens;

 private:
  std::vector<int32_t> script_;
  size_t next_ = 0;
  int64_t capacity_;
};

GenerateOptions greedy() { return {.sampling = kernel::SamplingOptions::greedy()}; }

TEST(Chat, KeepsTheConversationAndTheCache) {
  const model::Tokenizer tokenizer = make_tokenizer();
  const model::ChatTemplate chat_template = make_template();
  // The first answer is written as "h", "i", though the tokenizer would write "hi".
  ScriptedModel model({id_of('h'), id_of('i'), kEnd, kHi, id_of('!'), kEnd});
  Session session(model);
  Chat chat(session, tokenizer, chat_template, {});
  chat.add({"system", "s"});
  std::vector<std::string> pieces;
  GenerateOptions options = greedy();
  options.stop_ids = {kEnd};
  const Result<ChatReply> first = chat.ask("a", options, [&](std::string_view piece) {
    pieces.emplace_back(piece);
    return true;
  });
  ASSERT_TRUE(first) << first.error().message;
  EXPECT_EQ(first->text, "hi");
  EXPECT_EQ(pieces, (std::vector<std::string>{"h", "i"}));
  EXPECT_EQ(first->stop_reason, StopReason::kStopId);
  ASSERT_EQ(chat.messages().size(), 3u);
  EXPECT_EQ(chat.messages()[2].role, "assistant");
  EXPECT_EQ(chat.messages()[2].content, "hi");
  const int64_t cached = std::ssize(session.cached_tokens());

  const Result<ChatReply> second = chat.ask("b", options);
  ASSERT_TRUE(second) << second.error().message;
  EXPECT_EQ(second->text, "hi!");
  EXPECT_EQ(second->statistics.num_reused_tokens, cached) << "nothing is computed twice";
  const std::string text = *tokenizer.decode(session.cached_tokens(), {.skip_special = false});
  EXPECT_EQ(text,
            "<|im_start|>system\ns<|im_end|>\n<|im_start|>user\na<|im_end|>\n"
            "<|im_start|>assistant\nhi<|im_end|>\n<|im_start|>user\nb<|im_end|>\n"
            "<|im_start|>assistant\nhi!");
  chat.clear();
  EXPECT_TRUE(chat.messages().empty());
}

TEST(Chat, AFailedTurnLeavesTheConversationAsItWas) {
  const model::Tokenizer tokenizer = make_tokenizer();
  const model::ChatTemplate chat_template = make_template();
  ScriptedModel model({kHi, kEnd}, 60);
  Session session(model);
  Chat chat(session, tokenizer, chat_template, {});
  GenerateOptions options = greedy();
  options.stop_ids = {kEnd};
  const Result<ChatReply> too_long = chat.ask(std::string(100, 'x'), options);
  ASSERT_FALSE(too_long);
  EXPECT_EQ(too_long.error().code, ErrorCode::kInvalidArgument);
  EXPECT_TRUE(chat.messages().empty());
  const Result<ChatReply> reply = chat.ask("a", options);
  ASSERT_TRUE(reply) << reply.error().message;
  EXPECT_EQ(reply->text, "hi");
}

// A character of three bytes comes out whole; special tokens and what is not UTF-8 never do.
TEST(GenerateText, GivesWholeCharactersOnly) {
  const model::Tokenizer tokenizer = make_tokenizer();
  ScriptedModel model(
      {id_of('\xE2'), id_of('\x82'), id_of('\xAC'), kStart, id_of('z'), id_of('\xE2'), kEnd});
  Session session(model);
  std::vector<std::string> pieces;
  GenerateOptions options = greedy();
  options.stop_ids = {kEnd};
  const Result<ChatReply> reply = generate_text(session, tokenizer, std::vector<int32_t>{kHi},
                                                options, [&](std::string_view piece) {
                                                  pieces.emplace_back(piece);
                                                  return true;
                                                });
  ASSERT_TRUE(reply) << reply.error().message;
  EXPECT_EQ(pieces, (std::vector<std::string>{"\xE2\x82\xAC", "z", "\xEF\xBF\xBD"}));
  EXPECT_EQ(reply->text, "\xE2\x82\xACz\xEF\xBF\xBD");
}

TEST(GenerateText, TheSinkCancels) {
  const model::Tokenizer tokenizer = make_tokenizer();
  ScriptedModel model({id_of('a'), id_of('b'), id_of('c')});
  Session session(model);
  const Result<ChatReply> reply =
      generate_text(session, tokenizer, std::vector<int32_t>{kHi}, greedy(),
                    [](std::string_view piece) { return piece != "b"; });
  ASSERT_TRUE(reply) << reply.error().message;
  EXPECT_EQ(reply->text, "ab");
  EXPECT_EQ(reply->stop_reason, StopReason::kCancelled);
}

}  // namespace
}  // namespace anybit::engine
