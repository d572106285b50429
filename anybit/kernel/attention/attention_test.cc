#include "anybit/kernel/attention/attention.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "anybit/base/philox.h"

namespace anybit::kernel {
namespace {

std::vector<float> normals(int64_t count, uint64_t seed, float scale = 1) {
  std::vector<float> x(count);
  for (int64_t i = 0; i < count; ++i) x[i] = scale * static_cast<float>(Philox(seed).normal(i));
  return x;
}

struct Problem {
  int64_t num_kv_heads = 2;
  int64_t group_size = 2;
  int64_t head_dim = 64;
  int64_t length = 10;
  int64_t num_tokens = 1;
  KvElement element = KvElement::kF32;
  int64_t window = 0;
  float soft_cap = 0;

  std::string text() const {
    return fmt::format("{} kv heads x {}, head_dim {}, {} of {} tokens, {}, window {}, cap {}",
                       num_kv_heads, group_size, head_dim, num_tokens, length, name(element),
                       window, soft_cap);
  }
  int64_t num_q_heads() const { return num_kv_heads * group_size; }
  AttentionParameters parameters() const {
    return {.num_q_heads = num_q_heads(),
            .scale = 1 / std::sqrt(static_cast<float>(head_dim)),
            .soft_cap = soft_cap,
            .window = window};
  }
};

/// The inputs of a problem: queries of all `length` tokens, of which the newest are asked for.
struct Inputs {
  std::vector<float> q;
  KvLayer kv;
};

Inputs make_inputs(const Problem& p) {
  const int64_t kv_size = p.num_kv_heads * p.head_dim;
  Result<KvLayer> kv = KvLayer::create({.num_kv_heads = p.num_kv_heads,
                                        .head_dim = p.head_dim,
                                        .capacity = p.length + 3,
                                        .element = p.element});
  EXPECT_TRUE(kv);
  const std::vector<float> keys = normals(p.length * kv_size, 1, 2);
  const std::vector<float> values = normals(p.length * kv_size, 2);
  EXPECT_TRUE(kv->append(keys.data(), values.data(), p.length, kv_size));
  return {normals(p.length * p.num_q_heads() * p.head_dim, 3, 2), std::move(*kv)};
}

/// The newest p.num_tokens tokens by `function`.
std::vector<float> attend(AttentionFunction* function, const Problem& p, const Inputs& inputs,
                          Threads threads) {
  const int64_t stride = p.num_q_heads() * p.head_dim;
  std::vector<float> out(p.num_tokens * stride, -1);
  function({.q = inputs.q.data() + (p.length - p.num_tokens) * stride,
            .token_stride = stride,
            .num_tokens = p.num_tokens},
           inputs.kv, p.parameters(), out.data(), threads);
  return out;
}

/// How far a result may be from the reference. With A = scale sum |q k| at its largest: a score is
/// off by ds = A (head_dim / 8 + 4) 2^-24 (scaled q, one chain a lane, a tree of three), capped
/// ones by 11 |score| 2^-24 more; subtracting the largest rounds by at most A 2^-23. Weights are
/// then off by exp(2 ds) - 1 (their own error and the sum's), by exp's 2 ulp (once for the weight,
/// once for each of the corrections of blocks and chunks) and the sums by as many roundings as keys
/// in a chunk and in chunks. Values weigh to a mean, so the error is relative to the largest value.
double tolerance(const Problem& p, const Inputs& inputs) {
  double largest_value = 0, largest_score = 0;
  std::vector<float> row(p.head_dim);
  double largest_key = 0, largest_query = 0;
  for (const float v : inputs.q) largest_query = std::max(largest_query, std::abs(double{v}));
  for (int64_t head = 0; head < p.num_kv_heads; ++head) {
    for (int64_t token = 0; token < p.length; ++token) {
      inputs.kv.decode_value(head, token, row);
      for (const float v : row) largest_value = std::max(largest_value, std::abs(double{v}));
      inputs.kv.decode_key(head, token, row);
      double sum = 0;
      for (const float v : row) sum += std::abs(double{v});
      largest_key = std::max(largest_key, sum);
    }
  }
  largest_score = p.parameters().scale * largest_query * largest_key;
  const auto chain = static_cast<double>(p.head_dim) / 8 + 4;
  const double score_error = largest_score * (chain + (p.soft_cap > 0 ? 11 : 0) + 2) * 0x1p-24;
  const double roundings =
      256 + 2 * static_cast<double>(p.length) / 64 + 8 * (2 + static_cast<double>(p.length) / 64);
  return largest_value * (std::expm1(2 * score_error) + roundings * 0x1p-24);
}

std::vector<Problem> problems() {
  std::vector<Problem> all;
  for (const int64_t head_dim : {8, 20, 64, 80, 96, 128, 256}) {
    for (const int64_t length : {1, 2, 63, 64, 65, 300}) {
      all.push_back({.head_dim = head_dim, .length = length, .num_tokens = 1});
      all.push_back({.head_dim = head_dim, .length = length, .num_tokens = length});
    }
  }
  for (const KvElement element :
       {KvElement::kF16, KvElement::kBf16, KvElement::kInt8, KvElement::kInt4}) {
    for (const int64_t head_dim : {40, 64, 80}) {
      all.push_back({.head_dim = head_dim, .length = 90, .num_tokens = 3, .element = element});
    }
  }
  for (const int64_t window : {1, 2, 5, 64, 100, 299, 300, 1000}) {
    all.push_back({.length = 300, .num_tokens = 1, .window = window});
    all.push_back({.group_size = 3, .length = 300, .num_tokens = 300, .window = window});
  }
  for (const float cap : {5.0f, 50.0f}) {
    all.push_back({.length = 70, .num_tokens = 70, .soft_cap = cap});
    all.push_back({.length = 70, .num_tokens = 2, .window = 20, .soft_cap = cap});
  }
  for (const int64_t group : {1, 3, 4, 7, 8, 40}) {
    all.push_back({.num_kv_heads = 1, .group_size = group, .length = 600, .num_tokens = 16});
    all.push_back({.num_kv_heads = 3, .group_size = group, .length = 129, .num_tokens = 37});
  }
  return all;
}

TEST(Attention, VariantsAgreeWithTheReference) {
  for (const Problem& p : problems()) {
    const Inputs inputs = make_inputs(p);
    const std::vector<float> exact = attend(attention_variants().back().function, p, inputs, {1});
    const double allowed = tolerance(p, inputs);
    ASSERT_LT(allowed, 0.05) << p.text() << ": the bound says nothing";
    for (const auto& variant : attention_variants()) {
      if (!variant.runs_on(CpuFeatures::host())) continue;
      const std::vector<float> got = attend(variant.function, p, inputs, {2});
      for (size_t i = 0; i < exact.size(); ++i) {
        ASSERT_NEAR(got[i], exact[i], allowed) << variant.name << " " << p.text() << " at " << i;
      }
    }
  }
}

// Three keys whose scores are 0, ln 2 and ln 5 weigh 1 : 2 : 5.
TEST(Attention, ReferenceIsTheDefinition) {
  Result<KvLayer> kv = KvLayer::create(
      {.num_kv_heads = 1, .head_dim = 1, .capacity = 3, .element = KvElement::kF32});
  const float keys[] = {0, std::log(2.0f), std::log(5.0f)}, values[] = {8, 16, -8}, q[] = {3, 2};
  ASSERT_TRUE(kv->append(keys, values, 3, 1));
  const auto result = [&](AttentionParameters parameters) {
    parameters.num_q_heads = 2;
    std::vector<float> out(2);
    attention_variants().back().function({q, 2, 1}, *kv, parameters, out.data(), {1});
    return out;
  };
  EXPECT_NEAR(result({.scale = 0.5f})[1], (8 + 2 * 16 - 5 * 8) / 8.0, 1e-6);
  EXPECT_NEAR(result({.scale = 0.5f, .window = 2})[1], (2 * 16 - 5 * 8) / 7.0, 1e-6);
  EXPECT_NEAR(result({.scale = 0.5f, .window = 1})[1], -8, 1e-6);
  EXPECT_NEAR(result({.scale = 0})[0], 16 / 3.0, 1e-6);
  // Head 0 asks with 3: weights 1, 2^1.5, 5^1.5.
  const double a = std::pow(2, 1.5), b = std::pow(5, 1.5);
  EXPECT_NEAR(result({.scale = 0.5f})[0], (8 + 16 * a - 8 * b) / (1 + a + b), 1e-5);
  const double capped = std::exp(0.5 * std::tanh(std::log(2.0) / 0.5));
  const double capped_more = std::exp(0.5 * std::tanh(std::log(5.0) / 0.5));
  EXPECT_NEAR(result({.scale = 0.5f, .soft_cap = 0.5f})[1],
              (8 + 16 * capped - 8 * capped_more) / (1 + capped + capped_more), 1e-5);
}

TEST(Attention, ThreadsDoNotMatter) {
  for (const Problem& p : {Problem{.num_kv_heads = 3, .group_size = 3, .length = 900},
                           Problem{.num_kv_heads = 1, .length = 700, .num_tokens = 20},
                           Problem{.length = 400, .num_tokens = 400},
                           Problem{.length = 900, .num_tokens = 5, .window = 300}}) {
    const Inputs inputs = make_inputs(p);
    for (const auto& variant : attention_variants()) {
      if (!variant.runs_on(CpuFeatures::host())) continue;
      const std::vector<float> one = attend(variant.function, p, inputs, {1});
      for (const int threads : {2, 3, 8}) {
        EXPECT_EQ(one, attend(variant.function, p, inputs, {threads})) << p.text() << threads;
      }
    }
  }
}

// A token's result is the same bits whether it comes alone, with a few others, or in a prefill.
TEST(Attention, ATokenDoesNotDependOnWhatComesWithIt) {
  for (const int64_t group_size : {1, 3, 4}) {
    for (const int64_t window : {0, 100}) {
      Problem p = {.group_size = group_size, .length = 520, .num_tokens = 520, .window = window};
      p.element = KvElement::kF16;
      Inputs inputs = make_inputs(p);
      for (const auto& variant : attention_variants()) {
        // The reference computes every token by itself.
        if (!variant.runs_on(CpuFeatures::host()) || variant.name == "reference") continue;
        Inputs current = make_inputs(p);
        const std::vector<float> prefill = attend(variant.function, p, inputs, {1});
        const int64_t stride = p.num_q_heads() * p.head_dim;
        for (const int64_t end : {520, 515, 400, 257, 256, 65, 3, 1}) {
          current.kv.truncate(end);
          for (const int64_t count : {1, 2, 5, 33}) {
            if (count > end) continue;
            std::vector<float> out(count * stride);
            variant.function({inputs.q.data() + (end - count) * stride, stride, count}, current.kv,
                             p.parameters(), out.data(), {2});
            ASSERT_TRUE(
                std::equal(out.begin(), out.end(), prefill.begin() + (end - count) * stride))
                << variant.name << " " << p.text() << ": " << count << " tokens up to " << end;
          }
        }
      }
    }
  }
}

TEST(Attention, ReadsStridedQueries) {
  const Problem p = {.length = 30, .num_tokens = 4};
  const Inputs inputs = make_inputs(p);
  const int64_t size = p.num_q_heads() * p.head_dim, stride = size + 13;
  std::vector<float> strided(4 * stride, 1e30f), out(4 * size);
  for (int64_t token = 0; token < 4; ++token) {
    std::copy_n(inputs.q.data() + (26 + token) * size, size, strided.data() + token * stride);
  }
  attention({strided.data(), stride, 4}, inputs.kv, p.parameters(), out.data(), {2});
  EXPECT_EQ(out, attend(attention, p, inputs, {1}));
  attention({strided.data(), stride, 0}, inputs.kv, p.parameters(), out.data(), {2});
}

// What a query may not see cannot reach it, not even as NaN times zero; what it sees does.
TEST(Attention, NanReachesOnlyThoseWhoSeeIt) {
  constexpr int64_t kLength = 100, kBad = 70, kDim = 16;
  std::vector<float> keys = normals(kLength * kDim, 1), values = normals(kLength * kDim, 2);
  const std::vector<float> q = normals(kLength * kDim, 3);
  for (const bool is_key : {true, false}) {
    std::vector<float> bad_keys = keys, bad_values = values;
    (is_key ? bad_keys : bad_values)[kBad * kDim + 5] = std::nanf("");
    Result<KvLayer> kv = KvLayer::create(
        {.num_kv_heads = 1, .head_dim = kDim, .capacity = kLength, .element = KvElement::kF32});
    ASSERT_TRUE(kv->append(bad_keys.data(), bad_values.data(), kLength, kDim));
    for (const auto& variant : attention_variants()) {
      if (!variant.runs_on(CpuFeatures::host())) continue;
      std::vector<float> out(kLength * kDim);
      variant.function({q.data(), kDim, kLength}, *kv,
                       {.num_q_heads = 1, .scale = 0.25f, .window = 10}, out.data(), {1});
      for (int64_t token = 0; token < kLength; ++token) {
        const bool sees = token >= kBad && token < kBad + 10;
        EXPECT_EQ(std::isnan(out[token * kDim + 5]), sees) << variant.name << " token " << token;
        EXPECT_EQ(std::isnan(out[token * kDim + 6]), sees && is_key) << variant.name << token;
      }
    }
  }
}

// Keys whose scores overflow to -inf weigh nothing, wherever in the order they come.
TEST(Attention, ScoresOfMinusInfinityWeighNothing) {
  constexpr int64_t kLength = 130;
  std::vector<float> keys(kLength, -3e38f), values(kLength, 7.0f);
  keys[kLength - 1] = 0;
  values[kLength - 1] = 2;
  Result<KvLayer> kv = KvLayer::create(
      {.num_kv_heads = 1, .head_dim = 1, .capacity = kLength, .element = KvElement::kF32});
  ASSERT_TRUE(kv->append(keys.data(), values.data(), kLength, 1));
  const float q = 1e10f;
  for (const auto& variant : attention_variants()) {
    if (!variant.runs_on(CpuFeatures::host())) continue;
    float out = 0;
    variant.function({&q, 1, 1}, *kv, {.num_q_heads = 1, .scale = 1}, &out, {1});
    EXPECT_EQ(out, 2) << variant.name;
  }
}

}  // namespace
}  // namespace anybit::kernel
