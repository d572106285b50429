#include "anybit/engine/session.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>
#include <vector>

namespace anybit::engine {
namespace {

/// A model whose next token is the sum of all tokens so far, modulo the vocabulary.
class SumModel : public SequenceModel {
 public:
  explicit SumModel(int64_t capacity) : capacity_(capacity) {}

  int64_t vocab_size() const override { return 100; }
  int64_t capacity() const override { return capacity_; }
  int64_t length() const override { return std::ssize(tokens); }

  Status forward(std::span<const int32_t> added, std::span<float> last_logits) override {
    EXPECT_FALSE(added.empty());
    EXPECT_LE(length() + std::ssize(added), capacity_);
    EXPECT_TRUE(last_logits.empty() || std::ssize(last_logits) == vocab_size());
    pass_sizes.push_back(std::ssize(added));
    tokens.insert(tokens.end(), added.begin(), added.end());
    if (fails_at >= 0 && length() > fails_at) return fail(ErrorCode::kDeviceError, "broken");
    if (last_logits.empty()) return {};
    std::ranges::fill(last_logits, is_nan ? std::nanf("") : 0.0f);
    last_logits[std::reduce(tokens.begin(), tokens.end()) % vocab_size()] = 50;
    return {};
  }

  void truncate(int64_t length) override {
    ASSERT_LE(length, this->length());
    tokens.resize(length);
  }

  std::vector<int32_t> tokens;
  std::vector<int64_t> pass_sizes;
  int64_t fails_at = -1;
  bool is_nan = false;

 private:
  int64_t capacity_;
};

using Tokens = std::vector<int32_t>;

GenerateOptions greedy(int64_t max_new_tokens) {
  return {.sampling = kernel::SamplingOptions::greedy(), .max_new_tokens = max_new_tokens};
}

TEST(Session, ContinuesThePrompt) {
  SumModel model(50);
  Session session(model);
  Tokens heard;
  const Result<Generation> got = session.generate(Tokens{1, 2}, greedy(4), [&](int32_t token) {
    heard.push_back(token);
    return true;
  });
  ASSERT_TRUE(got) << got.error().message;
  EXPECT_EQ(got->tokens, (Tokens{3, 6, 12, 24}));
  EXPECT_EQ(heard, got->tokens);
  EXPECT_EQ(got->stop_reason, StopReason::kMaxTokens);
  EXPECT_EQ(got->statistics.num_prompt_tokens, 2);
  EXPECT_EQ(got->statistics.num_reused_tokens, 0);
  EXPECT_EQ(got->statistics.num_decode_passes, 3) << "the last token needs no pass";
  EXPECT_GT(got->statistics.prefill_tokens_per_s(), 0);
  EXPECT_GT(got->statistics.decode_tokens_per_s(), 0);
  EXPECT_EQ(Tokens(session.cached_tokens().begin(), session.cached_tokens().end()),
            (Tokens{1, 2, 3, 6, 12}));
  EXPECT_EQ(model.tokens, (Tokens{1, 2, 3, 6, 12}));
}

TEST(Session, StopsAtStopIdsWhichAreNotPartOfTheOutput) {
  SumModel model(50);
  Session session(model);
  GenerateOptions options = greedy(-1);
  options.stop_ids = {7, 12};
  const Result<Generation> got = session.generate(Tokens{1, 2}, options);
  ASSERT_TRUE(got);
  EXPECT_EQ(got->tokens, (Tokens{3, 6}));
  EXPECT_EQ(got->stop_reason, StopReason::kStopId);
}

TEST(Session, StopsWhereTheContextEnds) {
  SumModel model(5);
  Session session(model);
  const Result<Generation> got = session.generate(Tokens{1, 2}, greedy(-1));
  ASSERT_TRUE(got);
  EXPECT_EQ(got->tokens, (Tokens{3, 6, 12, 24})) << "the last is known but has no place";
  EXPECT_EQ(got->stop_reason, StopReason::kContextFull);
  EXPECT_EQ(model.length(), 5);
  // A prompt that fills the context still has a next token; a longer one is refused.
  EXPECT_EQ(session.generate(Tokens{1, 1, 1, 1, 1}, greedy(-1))->tokens, Tokens{5});
  const Result<Generation> refused = session.generate(Tokens{1, 1, 1, 1, 1, 1}, greedy(1));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(refused.error().message,
            "the prompt has 6 tokens, expected at most 5, the length of the context");
}

TEST(Session, TheSinkCancels) {
  SumModel model(50);
  Session session(model);
  const Result<Generation> got =
      session.generate(Tokens{1, 2}, greedy(-1), [](int32_t token) { return token != 6; });
  ASSERT_TRUE(got);
  EXPECT_EQ(got->tokens, (Tokens{3, 6}));
  EXPECT_EQ(got->stop_reason, StopReason::kCancelled);
}

TEST(Session, PrefillsInChunks) {
  SumModel model(50);
  Session session(model);
  GenerateOptions options = greedy(1);
  options.prefill_chunk_tokens = 3;
  ASSERT_TRUE(session.generate(Tokens{1, 1, 1, 1, 1, 1, 1, 1}, options));
  EXPECT_EQ(model.pass_sizes, (std::vector<int64_t>{3, 3, 2}));
}

TEST(Session, ReportsThePromptThatIsNotReused) {
  SumModel model(50);
  Session session(model);
  GenerateOptions options = greedy(1);
  options.prefill_chunk_tokens = 3;
  std::vector<int64_t> done;
  options.progress = [&](const Progress& progress) {
    EXPECT_EQ(progress.total, 4);
    done.push_back(progress.done);
  };
  ASSERT_TRUE(session.generate(Tokens{1, 1, 1, 1}, options));
  EXPECT_EQ(done, (std::vector<int64_t>{0, 3, 4}));
}

TEST(Session, ReusesTheCommonPrefix) {
  SumModel model(50);
  Session session(model);
  ASSERT_TRUE(session.generate(Tokens{1, 2}, greedy(3)));  // Cached: 1 2 3 6.
  model.pass_sizes.clear();
  const Result<Generation> longer = session.generate(Tokens{1, 2, 3, 6, 12, 5}, greedy(1));
  ASSERT_TRUE(longer);
  EXPECT_EQ(longer->statistics.num_reused_tokens, 4);
  EXPECT_EQ(model.pass_sizes, std::vector<int64_t>{2});
  EXPECT_EQ(longer->tokens, Tokens{29});
  const Result<Generation> branched = session.generate(Tokens{1, 2, 4}, greedy(2));
  ASSERT_TRUE(branched);
  EXPECT_EQ(branched->statistics.num_reused_tokens, 2);
  EXPECT_EQ(branched->tokens, (Tokens{7, 14}));
  // The same prompt again: its last token is computed once more.
  const Result<Generation> again = session.generate(Tokens{1, 2, 4}, greedy(2));
  ASSERT_TRUE(again);
  EXPECT_EQ(again->statistics.num_reused_tokens, 2);
  EXPECT_EQ(again->tokens, branched->tokens);
  session.clear();
  EXPECT_EQ(session.generate(Tokens{1, 2, 4}, greedy(0))->statistics.num_reused_tokens, 0);
}

TEST(Session, SurvivesAModelThatFails) {
  SumModel model(50);
  Session session(model);
  model.fails_at = 4;
  const Result<Generation> failed = session.generate(Tokens{1, 2}, greedy(9));
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, ErrorCode::kDeviceError);
  EXPECT_EQ(model.length(), std::ssize(session.cached_tokens()));
  model.fails_at = -1;
  const Result<Generation> got = session.generate(Tokens{1, 2}, greedy(4));
  ASSERT_TRUE(got);
  EXPECT_EQ(got->tokens, (Tokens{3, 6, 12, 24}));
  model.is_nan = true;
  const Result<Generation> nan = session.generate(Tokens{1, 2}, greedy(4));
  ASSERT_FALSE(nan);
  EXPECT_EQ(nan.error().code, ErrorCode::kCorruptData);
}

TEST(Session, SameSeedSameTokens) {
  const auto tokens = [](uint64_t seed) {
    SumModel model(200);
    Session session(model);
    GenerateOptions options = {.max_new_tokens = 50};
    options.sampling = {.top_k = 0, .top_p = 1, .min_p = 0, .temperature = 100, .seed = seed};
    return session.generate(Tokens{1}, options)->tokens;
  };
  EXPECT_EQ(tokens(3), tokens(3));
  EXPECT_NE(tokens(3), tokens(4));
}

TEST(Session, RefusesWhatCannotBe) {
  SumModel model(50);
  Session session(model);
  const auto message = [&](const Tokens& prompt, const GenerateOptions& options) {
    const Result<Generation> got = session.generate(prompt, options);
    if (got) return std::string("accepted");
    EXPECT_EQ(got.error().code, ErrorCode::kInvalidArgument);
    return got.error().message;
  };
  EXPECT_EQ(message({}, greedy(1)), "the prompt has no tokens, expected at least 1");
  EXPECT_EQ(message({1, 100}, greedy(1)), "token 1 of the prompt is id 100, expected 0 to 99");
  EXPECT_EQ(message({-1}, greedy(1)), "token 0 of the prompt is id -1, expected 0 to 99");
  EXPECT_NE(message({1}, greedy(-2)), "accepted");
  EXPECT_NE(message({1}, {.prefill_chunk_tokens = 0}), "accepted");
  EXPECT_NE(message({1}, {.sampling = {.top_p = 2}}), "accepted");
  EXPECT_TRUE(model.pass_sizes.empty()) << "nothing is computed for a request that is refused";
}

}  // namespace
}  // namespace anybit::engine
