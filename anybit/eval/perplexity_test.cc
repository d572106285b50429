#include "anybit/eval/perplexity.h"

#include <gtest/gtest.h>

#include <cmath>

namespace anybit::eval {
namespace {

constexpr int64_t kVocabSize = 4;

// A model whose logits depend on the last token only: a table of rows.
Scorer table_model(std::vector<std::vector<float>> rows, std::vector<int64_t>* windows = nullptr) {
  Scorer scorer;
  scorer.vocab_size = kVocabSize;
  scorer.max_tokens = 100;
  scorer.score = [rows = std::move(rows), windows](std::span<const int32_t> tokens, int64_t first,
                                                   const LogitsVisitor& visit) -> Status {
    if (windows != nullptr) windows->push_back(std::ssize(tokens));
    for (int64_t i = first; i < std::ssize(tokens); ++i) {
      ANYBIT_TRY(visit(i, rows[static_cast<size_t>(tokens[static_cast<size_t>(i)])]));
    }
    return {};
  };
  return scorer;
}

std::vector<std::vector<float>> uniform_rows() {
  return std::vector(kVocabSize, std::vector<float>(kVocabSize, 1.5f));
}

TEST(Perplexity, OfAUniformModelIsTheVocabularySize) {
  const std::vector<int32_t> ids = {0, 1, 2, 3, 2, 1, 0};
  const auto result = perplexity(table_model(uniform_rows()), ids, nullptr, {.window = 3});
  ASSERT_TRUE(result.has_value());
  EXPECT_NEAR(result->ppl, 4.0, 1e-5);  // log_sum_exp's exponentials are f32.
  EXPECT_EQ(result->tokens, 6);
  EXPECT_NEAR(result->standard_error, 0, 1e-6);
  EXPECT_FALSE(result->has_reference);
}

TEST(Perplexity, WindowsDoNotOverlapAndAPartialLastOneIsLeftOut) {
  std::vector<int64_t> windows;
  const std::vector<int32_t> ids = {0, 1, 2, 3, 2, 1, 0, 1};
  auto result = perplexity(table_model(uniform_rows(), &windows), ids, nullptr, {.window = 3});
  ASSERT_TRUE(result.has_value());
  EXPECT_EQ(windows, (std::vector<int64_t>{3, 3}));
  windows.clear();
  result = perplexity(table_model(uniform_rows(), &windows), ids, nullptr, {.window = 50});
  ASSERT_TRUE(result.has_value());
  EXPECT_EQ(windows, (std::vector<int64_t>{7}));
  EXPECT_EQ(result->tokens, 7);
}

TEST(Perplexity, DivergenceMatchesTheDefinition) {
  auto rows = uniform_rows();
  rows[1] = {0, 1, 2, 3};
  const std::vector<int32_t> ids = {1, 3, 1};
  const Scorer reference = table_model(uniform_rows());
  const auto result = perplexity(table_model(rows), ids, &reference, {.window = 2});
  ASSERT_TRUE(result.has_value());
  double log_sum = 0;
  for (const float x : rows[1]) log_sum += std::exp(x);
  log_sum = std::log(log_sum);
  double expected = 0;
  for (const float x : rows[1]) expected += 0.25 * (std::log(0.25) - (x - log_sum));
  EXPECT_NEAR(result->kld_mean, expected / 2, 1e-6);  // One position of two diverges.
  EXPECT_EQ(result->top1_agreement, 0.5);
  EXPECT_NEAR(result->nll, ((log_sum - 3) + std::log(4.0)) / 2, 1e-6);
}

TEST(Perplexity, RefusesWhatItCannotMeasure) {
  const Scorer model = table_model(uniform_rows());
  const std::vector<int32_t> one = {0}, outside = {0, 7};
  EXPECT_EQ(perplexity(model, one, nullptr, {}).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(perplexity(model, outside, nullptr, {}).error().code, ErrorCode::kInvalidArgument);
  Scorer other = model;
  other.vocab_size = 5;
  const std::vector<int32_t> two = {0, 1};
  EXPECT_EQ(perplexity(model, two, &other, {}).error().code, ErrorCode::kInvalidArgument);
  auto rows = uniform_rows();
  rows[0][2] = std::nanf("");
  EXPECT_EQ(perplexity(table_model(rows), two, nullptr, {}).error().code, ErrorCode::kCorruptData);
}

TEST(EncodeDocuments, EachDocumentStartsAnew) {
  const TextEncoder encoder{[](std::string_view text, bool add_special) {
    std::vector<int32_t> ids;
    if (add_special) ids.push_back(0);
    for (const char c : text) ids.push_back(c);
    return Result<std::vector<int32_t>>(ids);
  }};
  const auto split = encode_documents(encoder, "a\n--\nb--\n--\nc", "--");
  EXPECT_EQ(*split, (std::vector<int32_t>{0, 'a', 0, 'b', '-', '-', 0, 'c'}));
  const auto whole = encode_documents(encoder, "a\n--\nb", "");
  EXPECT_EQ(whole->size(), 7u);
}

}  // namespace
}  // namespace anybit::eval
