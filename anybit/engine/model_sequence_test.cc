// Whole generations with the model that the repository ships.
#include "anybit/engine/model_sequence.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "anybit/base/file.h"
#include "anybit/base/json.h"
#include "anybit/engine/chat.h"
#include "anybit/engine/session.h"
#include "anybit/model/open.h"

namespace anybit::engine {
namespace {

class ModelSequenceTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    const std::string folder = ANYBIT_SOURCE_DIR "/models/wiki-6m";
    Result<model::OpenedModel> opened = model::open_model(folder);
    ASSERT_TRUE(opened) << opened.error().message;
    Result<model::Model> model = model::Model::load(*opened->weights, {.threads = {1}});
    ASSERT_TRUE(model) << model.error().message;
    model_ = std::make_unique<model::Model>(std::move(*model));
    Result<model::Tokenizer> tokenizer = model::load_tokenizer(*opened);
    ASSERT_TRUE(tokenizer) << tokenizer.error().message;
    tokenizer_ = std::make_unique<model::Tokenizer>(std::move(*tokenizer));
    const Result<std::string> text = read_text_file(folder + "/golden.json");
    ASSERT_TRUE(text) << text.error().message;
    golden_ = Json::parse(*text);
  }

  static void TearDownTestSuite() {
    model_.reset();
    tokenizer_.reset();
  }

  static ModelSequence sequence(int64_t capacity = 256) {
    return *ModelSequence::create(*model_,
                                  {.capacity = capacity, .kv_element = kernel::KvElement::kF32});
  }

  static GenerateOptions greedy(int64_t count) {
    return {.sampling = kernel::SamplingOptions::greedy(), .max_new_tokens = count};
  }

  static std::unique_ptr<model::Model> model_;
  static std::unique_ptr<model::Tokenizer> tokenizer_;
  static Json golden_;
};

std::unique_ptr<model::Model> ModelSequenceTest::model_;
std::unique_ptr<model::Tokenizer> ModelSequenceTest::tokenizer_;
Json ModelSequenceTest::golden_;

// golden.json holds what the model's training framework generated.
TEST_F(ModelSequenceTest, GeneratesTheGoldenText) {
  const auto prompt = golden_["prompt_ids"].get<std::vector<int32_t>>();
  ModelSequence model = sequence();
  Session session(model);
  const Result<Generation> got = session.generate(prompt, greedy(64));
  ASSERT_TRUE(got) << got.error().message;
  EXPECT_EQ(got->tokens, golden_["greedy64_ids"].get<std::vector<int32_t>>());
  EXPECT_GT(model.kv_bytes(), 0);

  std::string heard;
  const Result<ChatReply> reply =
      generate_text(session, *tokenizer_, prompt, greedy(64), [&](std::string_view piece) {
        heard += piece;
        return true;
      });
  ASSERT_TRUE(reply) << reply.error().message;
  EXPECT_EQ(reply->text, heard);
  EXPECT_EQ(golden_["prompt"].get<std::string>() + reply->text,
            golden_["greedy64_text"].get<std::string>());
}

// Reusing the cache, and the size of prefill passes, change no bit of what is generated.
TEST_F(ModelSequenceTest, ReuseAndChunksChangeNothing) {
  std::vector<int32_t> prompt = *tokenizer_->encode("In 1921 the river flooded the old town");
  GenerateOptions options = {.max_new_tokens = 20};
  options.sampling.seed = 11;
  ModelSequence reused = sequence(), fresh = sequence();
  Session first(reused), second(fresh);
  const Result<Generation> start = first.generate(prompt, options);
  ASSERT_TRUE(start) << start.error().message;
  prompt.insert(prompt.end(), start->tokens.begin(), start->tokens.end());
  const Result<Generation> continued = first.generate(prompt, options);
  options.prefill_chunk_tokens = 3;
  const Result<Generation> from_nothing = second.generate(prompt, options);
  ASSERT_TRUE(continued && from_nothing);
  EXPECT_GT(continued->statistics.num_reused_tokens, 20);
  EXPECT_EQ(from_nothing->statistics.num_reused_tokens, 0);
  EXPECT_EQ(continued->tokens, from_nothing->tokens);
}

TEST_F(ModelSequenceTest, StopsWhereTheContextEnds) {
  const auto prompt = golden_["prompt_ids"].get<std::vector<int32_t>>();
  ModelSequence model = sequence(10);
  Session session(model);
  const Result<Generation> got = session.generate(prompt, greedy(-1));
  ASSERT_TRUE(got) << got.error().message;
  EXPECT_EQ(got->stop_reason, StopReason::kContextFull);
  EXPECT_EQ(got->tokens.size(), 10 - prompt.size() + 1);
  EXPECT_EQ(model.length(), 10);
}

}  // namespace
}  // namespace anybit::engine
