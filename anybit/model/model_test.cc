// How a Model's calls relate to each other and to the reference.
#include "anybit/model/model.h"

#include <gtest/gtest.h>

#include "anybit/model/internal/test_checkpoints.h"
#include "anybit/model/reference_forward.h"
#include "anybit/model/weights/synthetic.h"

namespace anybit::model {
namespace {

using internal::relative_distance;

std::vector<int32_t> some_tokens(int64_t count, int64_t vocab_size) {
  std::vector<int32_t> tokens;
  for (int64_t i = 0; i < count; ++i)
    tokens.push_back(static_cast<int32_t>(i * i * 7 % vocab_size));
  return tokens;
}

std::vector<float> copied(const Result<std::span<const float>>& logits) {
  EXPECT_TRUE(logits) << logits.error().message;
  return logits ? std::vector<float>(logits->begin(), logits->end()) : std::vector<float>();
}

class ModelTest : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    const Json golden = internal::golden_cases(GetParam())[0];
    internal::write_checkpoint(folder_.path(), GetParam(), golden["config"]);
    source_ = internal::open_checkpoint(folder_.path());
    ASSERT_NE(source_, nullptr);
    tokens_ = golden["tokens"].get<std::vector<int32_t>>();
  }

  Model load(int64_t prefill_chunk, int threads = 1) const {
    auto model = Model::load(*source_, {.threads = {threads}, .prefill_chunk = prefill_chunk});
    EXPECT_TRUE(model) << model.error().message;
    return std::move(*model);
  }

  internal::ScratchFolder folder_;
  std::shared_ptr<const WeightSource> source_;
  std::vector<int32_t> tokens_;
};

TEST_P(ModelTest, LogitsDoNotDependOnHowTokensCome) {
  const Model whole = load(256), in_chunks = load(5, 2);
  const auto vocab_size = static_cast<size_t>(whole.config().vocab_size);
  auto state = whole.start();
  ASSERT_TRUE(state);
  const std::vector<float> all = copied(whole.forward(*state, tokens_, LogitsOf::kAllTokens));
  ASSERT_EQ(all.size(), tokens_.size() * vocab_size);

  auto chunk_state = in_chunks.start();
  ASSERT_TRUE(chunk_state);
  EXPECT_EQ(copied(in_chunks.forward(*chunk_state, tokens_, LogitsOf::kAllTokens)), all);

  // One by one; only the last; a visit of some.
  chunk_state->truncate(0);
  for (size_t i = 0; i < tokens_.size(); ++i) {
    const std::vector<float> logits =
        copied(in_chunks.forward(*chunk_state, std::span(tokens_).subspan(i, 1)));
    EXPECT_TRUE(std::ranges::equal(logits, std::span(all).subspan(i * vocab_size, vocab_size)))
        << "token " << i;
  }
  chunk_state->truncate(0);
  const std::vector<float> last = copied(in_chunks.forward(*chunk_state, tokens_));
  EXPECT_TRUE(std::ranges::equal(last, std::span(all).last(vocab_size)));
  chunk_state->truncate(0);
  int64_t next = 17;
  const Status visited = in_chunks.visit_logits(
      *chunk_state, tokens_, 17, [&](int64_t index, std::span<const float> logits) -> Status {
        EXPECT_EQ(index, next++);
        EXPECT_TRUE(
            std::ranges::equal(logits, std::span(all).subspan(index * vocab_size, vocab_size)));
        return {};
      });
  EXPECT_TRUE(visited);
  EXPECT_EQ(next, static_cast<int64_t>(tokens_.size()));
}

TEST_P(ModelTest, TruncateForgetsTokens) {
  const Model model = load(256);
  auto state = model.start();
  ASSERT_TRUE(state);
  const std::vector<float> expected = copied(model.forward(*state, tokens_));
  EXPECT_EQ(state->length(), static_cast<int64_t>(tokens_.size()));
  state->truncate(9);
  ASSERT_TRUE(model.forward(*state, some_tokens(6, model.config().vocab_size)));
  state->truncate(9);
  EXPECT_EQ(copied(model.forward(*state, std::span(tokens_).subspan(9))), expected);
}

INSTANTIATE_TEST_SUITE_P(Families, ModelTest, testing::Values("llama", "gemma3", "mixtral"),
                         [](const auto& info) { return std::string(info.param); });

TEST(ModelErrors, NameTokenAndCapacityAndLeaveTheContext) {
  const auto source = synthetic_weights("tiny", *numeric::parse_scheme("int8_g32"));
  ASSERT_TRUE(source) << source.error().message;
  const auto model = Model::load(**source, {.prefill_chunk = 4});
  ASSERT_TRUE(model) << model.error().message;
  auto state = model->start({.capacity = 10});
  ASSERT_TRUE(state);
  EXPECT_EQ(state->capacity(), 10);
  ASSERT_TRUE(model->forward(*state, some_tokens(6, 4096)));

  const auto none = model->forward(*state, {});
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, ErrorCode::kInvalidArgument);
  for (const int32_t id : {-1, 4096}) {
    const auto unknown = model->forward(*state, std::span(&id, 1));
    ASSERT_FALSE(unknown);
    EXPECT_NE(unknown.error().message.find(std::to_string(id)), std::string::npos);
  }
  const auto many = model->forward(*state, some_tokens(5, 4096));
  ASSERT_FALSE(many);
  EXPECT_EQ(many.error().code, ErrorCode::kOutOfMemory);
  const Status stopped = model->visit_logits(*state, some_tokens(4, 4096), 0,
                                             [](int64_t, std::span<const float>) -> Status {
                                               return fail(ErrorCode::kCorruptData, "enough");
                                             });
  EXPECT_FALSE(stopped);
  EXPECT_EQ(state->length(), 6);
  EXPECT_FALSE(model->start({.capacity = -1}));
}

TEST(ModelBytes, CountWhatDecodingReads) {
  const auto scheme = numeric::parse_scheme("int4_g32");
  const auto dense = synthetic_weights("tiny", *scheme);
  ASSERT_TRUE(dense);
  const auto model = Model::load(**dense, {});
  ASSERT_TRUE(model) << model.error().message;
  // Stored: 4.5 bits a weight. Kernels may pad, but a token reads no embedding but its row.
  const auto parameters = static_cast<double>(model->config().num_parameters());
  const double embedding = 4096.0 * 256;
  EXPECT_GE(static_cast<double>(model->weight_bytes()), parameters * 4.5 / 8 * 0.99);
  EXPECT_LE(static_cast<double>(model->weight_bytes()), parameters * 4.5 / 8 * 1.25);
  EXPECT_LE(static_cast<double>(model->weight_bytes_per_token()),
            (parameters - embedding) * 4.5 / 8 * 1.25);
  EXPECT_FALSE(model->kernel_names().empty());
  EXPECT_FALSE(Model::load(**dense, {.kernel_name = "no_such_kernel"}));
}

TEST(Synthetic, RunsDenseAndMixedInManySchemes) {
  for (const char* name : {"tiny", "tiny-moe"}) {
    for (const char* text : {"bf16", "q4_0", "nvfp4", "ternary_channel", "uint4_g64_asym"}) {
      SCOPED_TRACE(std::string(name) + " " + text);
      const auto source = synthetic_weights(name, *numeric::parse_scheme(text), 3);
      ASSERT_TRUE(source) << source.error().message;
      const auto model = Model::load(**source, {.threads = {2}});
      ASSERT_TRUE(model) << model.error().message;
      auto state = model->start();
      ASSERT_TRUE(state);
      const auto logits = model->forward(*state, some_tokens(9, 4096));
      ASSERT_TRUE(logits) << logits.error().message;
      EXPECT_TRUE(std::ranges::all_of(*logits, [](float x) { return std::isfinite(x); }));
    }
  }
  EXPECT_FALSE(synthetic_weights("no-such", *numeric::parse_scheme("bf16")));
  // 512 columns fit blocks of 256, the embedding's 256 columns too; 100 do not exist here.
  EXPECT_TRUE(synthetic_weights("tiny", *numeric::parse_scheme("q4_k")));
}

}  // namespace
}  // namespace anybit::model
