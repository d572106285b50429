#include "anybit/kernel/sampling/sampler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace anybit::kernel {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

/// Options that change nothing: draws from the softmax of the logits.
SamplingOptions plain(uint64_t seed = 1) {
  return {.top_k = 0, .top_p = 1, .min_p = 0, .temperature = 1, .seed = seed};
}

/// How often each token is drawn in `count` draws.
std::map<int32_t, int> histogram(const SamplingOptions& options, const std::vector<float>& logits,
                                 int count, std::span<const int32_t> history = {}) {
  Result<Sampler> sampler = Sampler::create(options);
  EXPECT_TRUE(sampler);
  std::map<int32_t, int> drawn;
  for (int i = 0; i < count; ++i) {
    const Result<int32_t> token = sampler->sample(logits, history);
    EXPECT_TRUE(token) << token.error().message;
    ++drawn[*token];
  }
  return drawn;
}

/// Logits whose softmax is `probabilities`.
std::vector<float> logits_of(std::vector<double> probabilities) {
  std::vector<float> logits;
  for (const double p : probabilities) logits.push_back(static_cast<float>(std::log(p)));
  return logits;
}

/// Fails unless counts are within five standard deviations of the probabilities.
void expect_frequencies(const std::map<int32_t, int>& drawn, const std::vector<double>& expected,
                        int count) {
  for (size_t id = 0; id < expected.size(); ++id) {
    const auto found = drawn.find(static_cast<int32_t>(id));
    const int times = found == drawn.end() ? 0 : found->second;
    const double p = expected[id];
    EXPECT_NEAR(times, p * count, 5 * std::sqrt(p * (1 - p) * count)) << "token " << id;
  }
}

TEST(Sampler, DrawsFromTheSoftmax) {
  const std::vector<double> p = {0.1, 0.2, 0.3, 0.4};
  expect_frequencies(histogram(plain(), logits_of(p), 20000), p, 20000);
}

TEST(Sampler, TemperatureSharpensAndFlattens) {
  SamplingOptions options = plain();
  options.temperature = 0.5f;  // Squares probabilities.
  const double total = 0.01 + 0.04 + 0.09 + 0.16;
  expect_frequencies(histogram(options, logits_of({0.1, 0.2, 0.3, 0.4}), 20000),
                     {0.01 / total, 0.04 / total, 0.09 / total, 0.16 / total}, 20000);
}

TEST(Sampler, TopKKeepsTheLargestAndTheLesserIdOfEquals) {
  SamplingOptions options = plain();
  options.top_k = 2;
  expect_frequencies(histogram(options, logits_of({0.1, 0.2, 0.3, 0.4}), 5000),
                     {0, 0, 3.0 / 7, 4.0 / 7}, 5000);
  expect_frequencies(histogram(options, {1, 1, 1, 1}, 5000), {0.5, 0.5, 0, 0}, 5000);
  options.top_k = 100;
  expect_frequencies(histogram(options, {1, 1, 1, 1}, 5000), {0.25, 0.25, 0.25, 0.25}, 5000);
}

TEST(Sampler, TopPKeepsTheFewestThatReachP) {
  SamplingOptions options = plain();
  options.top_p = 0.65f;  // 0.4 + 0.3 reach it.
  expect_frequencies(histogram(options, logits_of({0.1, 0.2, 0.3, 0.4}), 5000),
                     {0, 0, 3.0 / 7, 4.0 / 7}, 5000);
  options.top_p = 0.01f;  // Never fewer than one.
  expect_frequencies(histogram(options, logits_of({0.1, 0.2, 0.3, 0.4}), 100), {0, 0, 0, 1}, 100);
}

TEST(Sampler, TopPOverALargeVocabulary) {
  // 5000 tokens of falling probability, in an order that is not sorted.
  constexpr int32_t kSize = 5000;
  std::vector<float> logits(kSize);
  for (int32_t i = 0; i < kSize; ++i) logits[i * 7 % kSize] = -0.001f * static_cast<float>(i);
  SamplingOptions options = plain();
  options.top_p = 0.5f;
  // Half of sum exp(-i / 1000) over i < 5000 is reached by i = 684 or so: ln(1 / (1 - (1 - e^-5) /
  // 2)).
  const double rank_limit = -1000 * std::log(1 - 0.5 * (1 - std::exp(-5.0)));
  Result<Sampler> sampler = Sampler::create(options);
  int32_t highest = 0;
  for (int i = 0; i < 1000; ++i) {
    const int32_t token = *sampler->sample(logits, {});
    // logits[rank * 7 % kSize]: 7 * 2143 = 15001 = 1 mod 5000.
    highest = std::max(highest, static_cast<int32_t>(int64_t{token} * 2143 % kSize));
  }
  EXPECT_LE(highest, rank_limit + 1);
  EXPECT_GT(highest, rank_limit - 15);  // 1000 draws all miss 15 ranks of 0.1 % once in e^15.
}

TEST(Sampler, MinPKeepsThoseNearTheLargest) {
  SamplingOptions options = plain();
  options.min_p = 0.6f;  // Of 0.4: from 0.24 on.
  expect_frequencies(histogram(options, logits_of({0.1, 0.2, 0.3, 0.4}), 5000),
                     {0, 0, 3.0 / 7, 4.0 / 7}, 5000);
}

// Truncation sees the probabilities before the temperature, as the documented order says: at
// temperature 4 these probabilities are nearly equal, and top-p 0.65 would keep three.
TEST(Sampler, TemperatureComesLast) {
  SamplingOptions options = plain();
  options.top_p = 0.65f;
  options.temperature = 4;
  const std::map<int32_t, int> drawn = histogram(options, logits_of({0.1, 0.2, 0.3, 0.4}), 2000);
  EXPECT_EQ(drawn.size(), 2u);
  // And top-p sees what top-k left: of 0.4 / 0.9, 0.3 / 0.9, 0.2 / 0.9, two reach 0.75.
  options.top_k = 3;
  options.top_p = 0.75f;
  EXPECT_EQ(histogram(options, logits_of({0.1, 0.2, 0.3, 0.4}), 2000).size(), 2u);
  options.top_k = 0;
  EXPECT_EQ(histogram(options, logits_of({0.1, 0.2, 0.3, 0.4}), 2000).size(), 3u);
}

TEST(Sampler, PenaltiesApplyToRecentTokens) {
  SamplingOptions options = SamplingOptions::greedy();
  options.repetition_penalty = 2;
  const auto choose = [&](const std::vector<float>& logits, const std::vector<int32_t>& history) {
    return *Sampler::create(options)->sample(logits, history);
  };
  EXPECT_EQ(choose({3, 2, 1}, {}), 0);
  EXPECT_EQ(choose({3, 2, 1}, {0}), 1) << "3 / 2 < 2";
  EXPECT_EQ(choose({-1, -1.5f, -9}, {0}), 1) << "-1 * 2 < -1.5";
  EXPECT_EQ(choose({3, 2, 1}, {0, -5, 999}), 1) << "unknown ids are ignored";
  options.penalty_window = 2;
  EXPECT_EQ(choose({3, 2, 1}, {0, 2, 2}), 0) << "token 0 is not recent";
  options.penalty_window = -1;
  EXPECT_EQ(choose({3, 2, 1}, {0, 2, 2}), 1) << "all of the history is recent";
  options.penalty_window = 0;
  EXPECT_EQ(choose({3, 2, 1}, {0, 2, 2}), 0) << "nothing is recent";
  options = SamplingOptions::greedy();
  options.frequency_penalty = 0.4f;
  EXPECT_EQ(choose({3, 2, 1}, {0, 0}), 0) << "3 - 0.8 > 2";
  EXPECT_EQ(choose({3, 2, 1}, {0, 0, 0}), 1) << "3 - 1.2 < 2";
  options = SamplingOptions::greedy();
  options.presence_penalty = 0.9f;
  EXPECT_EQ(choose({3, 2, 1}, {0, 0, 0}), 0) << "3 - 0.9 > 2";
  options.presence_penalty = 1.1f;
  EXPECT_EQ(choose({3, 2, 1}, {0}), 1) << "3 - 1.1 < 2";
}

TEST(Sampler, SameSeedSameTokens) {
  const std::vector<float> logits(1000, 0.0f);
  const auto draw = [&](uint64_t seed) {
    Result<Sampler> sampler = Sampler::create(plain(seed));
    std::vector<int32_t> tokens;
    for (int i = 0; i < 50; ++i) tokens.push_back(*sampler->sample(logits, {}));
    return tokens;
  };
  EXPECT_EQ(draw(5), draw(5));
  EXPECT_NE(draw(5), draw(6));
}

TEST(Sampler, MinusInfinityIsNeverDrawn) {
  const std::vector<float> logits = {-kInfinity, 0, -kInfinity, 0};
  const std::map<int32_t, int> drawn = histogram(plain(), logits, 1000);
  EXPECT_EQ(drawn.size(), 2u);
  EXPECT_EQ(drawn.count(0) + drawn.count(2), 0u);
}

TEST(Sampler, RefusesLogitsThatAreNotNumbers) {
  Result<Sampler> sampler = Sampler::create({});
  for (const std::vector<float>& logits :
       {std::vector<float>{0, std::nanf("")}, std::vector<float>{0, kInfinity},
        std::vector<float>{-kInfinity, -kInfinity}, std::vector<float>{}}) {
    const Result<int32_t> token = sampler->sample(logits, {});
    ASSERT_FALSE(token);
    EXPECT_EQ(token.error().code, ErrorCode::kCorruptData);
  }
}

TEST(Sampler, RefusesOptionsOutOfRange) {
  const auto message = [](const SamplingOptions& options) {
    const Result<Sampler> sampler = Sampler::create(options);
    if (sampler) return std::string("accepted");
    EXPECT_EQ(sampler.error().code, ErrorCode::kInvalidArgument);
    return sampler.error().message;
  };
  EXPECT_EQ(message({}), "accepted");
  EXPECT_EQ(message({.temperature = -1}),
            "sampling option temperature is -1, expected 0 (greedy) or greater");
  EXPECT_NE(message({.repetition_penalty = 0}), "accepted");
  EXPECT_NE(message({.frequency_penalty = kInfinity}), "accepted");
  EXPECT_NE(message({.presence_penalty = std::nanf("")}), "accepted");
  EXPECT_NE(message({.penalty_window = -2}), "accepted");
  EXPECT_NE(message({.top_k = -1}), "accepted");
  EXPECT_NE(message({.top_p = 0}), "accepted");
  EXPECT_NE(message({.top_p = 1.5f}), "accepted");
  EXPECT_NE(message({.min_p = 2}), "accepted");
  EXPECT_NE(message({.temperature = std::nanf("")}), "accepted");
}

TEST(GreedyToken, IsTheFirstOfTheLargest) {
  EXPECT_EQ(greedy_token(std::vector<float>{1, 5, 5, 2}), 1);
  EXPECT_EQ(greedy_token(std::vector<float>{std::nanf(""), -7, std::nanf("")}), 1);
  EXPECT_EQ(greedy_token(std::vector<float>{-kInfinity}), 0);
  for (const std::vector<float>& logits :
       {std::vector<float>{}, std::vector<float>{std::nanf("")}}) {
    ASSERT_FALSE(greedy_token(logits));
    EXPECT_EQ(greedy_token(logits).error().code, ErrorCode::kCorruptData);
  }
}

}  // namespace
}  // namespace anybit::kernel
