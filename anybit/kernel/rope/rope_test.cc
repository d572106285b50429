#include "anybit/kernel/rope/rope.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "anybit/base/philox.h"

namespace anybit::kernel {
namespace {

std::vector<float> normals(int64_t count, uint64_t seed) {
  std::vector<float> x(count);
  for (int64_t i = 0; i < count; ++i) x[i] = static_cast<float>(Philox(seed).normal(i));
  return x;
}

struct FrequencyCase {
  std::string what;
  RopeParameters parameters;
  int64_t context_length;
  double attention_factor;
  std::vector<double> frequencies;
};

RopeParameters long_rope() {
  return {.rotary_dim = 8,
          .scaling = RopeScaling::kLongRope,
          .factor = 32,
          .original_max_position = 4096,
          .short_factors = {1, 1.05, 1.1, 1.3},
          .long_factors = {1.1, 2, 10, 40}};
}

RopeParameters yarn(double theta, double factor) {
  return {.rotary_dim = 16,
          .theta = theta,
          .scaling = RopeScaling::kYarn,
          .factor = factor,
          .original_max_position = 4096};
}

/// What transformers 5.23 (modeling_rope_utils.py, f32) gives for the same configurations.
std::vector<FrequencyCase> cases_of_transformers() {
  RopeParameters deep_seek = yarn(10000, 40), untruncated = yarn(150000, 32);
  deep_seek.mscale = 0.707;
  deep_seek.mscale_all_dim = 1;
  untruncated.truncates_ramp = false;
  const RopeParameters dynamic = {.rotary_dim = 8,
                                  .scaling = RopeScaling::kDynamicNtk,
                                  .factor = 2,
                                  .original_max_position = 2048};
  return {
      {"none", {.rotary_dim = 8}, 4096, 1, {1, 0.1, 0.01, 0.001}},
      {"linear",
       {.rotary_dim = 8, .scaling = RopeScaling::kLinear, .factor = 4},
       4096,
       1,
       {0.25, 0.02500000037252903, 0.0024999999441206455, 0.0002500000118743628}},
      {"llama3",
       {.rotary_dim = 16,
        .theta = 500000,
        .scaling = RopeScaling::kLlama3,
        .factor = 8,
        .original_max_position = 8192},
       131072,
       1,
       {1.0, 0.193922758102417, 0.03760603070259094, 0.00729266507551074, 0.0005248460220173001,
        3.428102354519069e-05, 6.647869668086059e-06, 1.289173155782919e-06}},
      {"yarn",
       yarn(10000, 4),
       16384,
       1.138629436111989,
       {1.0, 0.3162277638912201, 0.10000000149011612, 0.025693506002426147, 0.00624999962747097,
        0.0013834965648129582, 0.0002500000118743628, 7.905694656074047e-05}},
      {"yarn, whole ramp",
       untruncated,
       131072,
       1.3465735902799727,
       {1.0, 0.22541800141334534, 0.05081327259540558, 0.006794959306716919, 0.0004564839182421565,
        1.818833698052913e-05, 4.099978468730114e-06, 9.242089618055616e-07}},
      {"yarn, mscale",
       deep_seek,
       163840,
       0.9210423553163399,
       {1.0, 0.3162277638912201, 0.10000000149011612, 0.023914724588394165, 0.005124999675899744,
        0.0008498621755279601, 2.499999936844688e-05, 7.905694474175107e-06}},
      {"dynamic",
       dynamic,
       8192,
       1,
       {1.0, 0.05227579548954964, 0.0027327588759362698, 0.0001428571413271129}},
      {"dynamic, within the trained length", dynamic, 100, 1, {1, 0.1, 0.01, 0.001}},
      {"longrope, long",
       long_rope(),
       8192,
       1.1902380714238083,
       {0.9090908765792847, 0.05000000074505806, 0.0010000000474974513, 2.499999936844688e-05}},
      {"longrope, short",
       long_rope(),
       4096,
       1.1902380714238083,
       {1.0, 0.095238097012043, 0.00909090880304575, 0.0007692307699471712}},
  };
}

TEST(RopeFrequencies, AgreeWithTransformers) {
  for (const FrequencyCase& c : cases_of_transformers()) {
    const Result<RopeFrequencies> got = rope_frequencies(c.parameters, c.context_length);
    ASSERT_TRUE(got) << c.what << ": " << got.error().message;
    EXPECT_NEAR(got->attention_factor, c.attention_factor, 1e-12) << c.what;
    ASSERT_EQ(got->radians_per_position.size(), c.frequencies.size()) << c.what;
    for (size_t i = 0; i < c.frequencies.size(); ++i) {
      // Theirs pass through f32: a power (2 ulp), a reciprocal, and up to five more operations.
      EXPECT_NEAR(got->radians_per_position[i], c.frequencies[i], 8 * 0x1p-23 * c.frequencies[i])
          << c.what << " pair " << i;
    }
  }
}

TEST(RopeFrequencies, DivisorsAndAGivenAttentionFactor) {
  RopeParameters parameters = long_rope();
  parameters.attention_factor = 1.5;
  parameters.frequency_divisors = {1, 2, 4, 8};
  const Result<RopeFrequencies> got = rope_frequencies(parameters, 100);
  ASSERT_TRUE(got);
  EXPECT_EQ(got->attention_factor, 1.5);
  EXPECT_EQ(got->rotary_dim(), 8);
  EXPECT_NEAR(got->radians_per_position[3], 0.001 / 1.3 / 8, 1e-18);
}

TEST(RopeFrequencies, RefuseWhatCannotBe) {
  const auto message = [](const RopeParameters& parameters) {
    const Result<RopeFrequencies> got = rope_frequencies(parameters, 128);
    if (got) return std::string("accepted");
    EXPECT_EQ(got.error().code, ErrorCode::kInvalidArgument);
    return got.error().message;
  };
  EXPECT_EQ(message({.rotary_dim = 7}),
            "rope: rotary_dim is 7, expected an even number from 2 to 65536");
  EXPECT_EQ(message({.rotary_dim = 8, .theta = -1}),
            "rope: theta is -1, expected a positive number");
  EXPECT_EQ(message({.rotary_dim = 8, .scaling = RopeScaling::kLinear, .factor = 0}),
            "rope: factor is 0, expected a positive number");
  EXPECT_EQ(message({.rotary_dim = 8, .scaling = RopeScaling::kYarn, .factor = 2}),
            "rope: original_max_position is 0, expected a positive number");
  RopeParameters parameters = long_rope();
  parameters.long_factors.pop_back();
  EXPECT_EQ(message(parameters), "rope: long_factors has 3 entries, expected rotary_dim / 2 = 4");
  parameters = long_rope();
  parameters.short_factors[1] = std::nan("");
  EXPECT_EQ(message(parameters), "rope: short_factors is nan, expected a positive number");
  EXPECT_NE(message({.rotary_dim = 8,
                     .scaling = RopeScaling::kLlama3,
                     .factor = 8,
                     .original_max_position = 8192,
                     .low_frequency_factor = 4,
                     .high_frequency_factor = 4}),
            "accepted");
  EXPECT_NE(message({.rotary_dim = 2,
                     .scaling = RopeScaling::kDynamicNtk,
                     .factor = 2,
                     .original_max_position = 8}),
            "accepted");
  EXPECT_NE(message({.rotary_dim = 8, .theta = std::numeric_limits<double>::infinity()}),
            "accepted");
}

TEST(RopeFrequencies, NamesParse) {
  for (const RopeScaling scaling :
       {RopeScaling::kNone, RopeScaling::kLinear, RopeScaling::kLlama3, RopeScaling::kYarn,
        RopeScaling::kDynamicNtk, RopeScaling::kLongRope}) {
    EXPECT_EQ(parse_rope_scaling(name(scaling)), scaling);
  }
  EXPECT_EQ(parse_rope_scaling("su"), RopeScaling::kLongRope);
  ASSERT_FALSE(parse_rope_scaling("mrope"));
  EXPECT_EQ(parse_rope_scaling("mrope").error().code, ErrorCode::kNotFound);
}

TEST(RopeAngles, AreRoundedOnceFromDouble) {
  const RopeFrequencies frequencies = {.radians_per_position = {1, 0.01}, .attention_factor = 1.25};
  const RopeAngles angles = rope_angles(frequencies, 100000, 3);
  EXPECT_EQ(angles.num_tokens, 3);
  EXPECT_EQ(angles.num_pairs, 2);
  EXPECT_EQ(angles.cosines[2], static_cast<float>(1.25 * std::cos(100001.0)));
  EXPECT_EQ(angles.sines[5], static_cast<float>(1.25 * std::sin(1000.02)));
}

/// x with the pairs of one head turned by the angles of the definition, in double.
std::vector<double> turned(const RopeAngles& angles, int64_t token, std::span<const float> head) {
  std::vector<double> out(head.begin(), head.end());
  for (int64_t i = 0; i < angles.num_pairs; ++i) {
    const bool is_halves = angles.pairing == RopePairing::kHalves;
    const int64_t a = is_halves ? i : 2 * i, b = is_halves ? i + angles.num_pairs : 2 * i + 1;
    const double cosine = angles.cosines[token * angles.num_pairs + i];
    const double sine = angles.sines[token * angles.num_pairs + i];
    out[a] = head[a] * cosine - head[b] * sine;
    out[b] = head[a] * sine + head[b] * cosine;
  }
  return out;
}

TEST(Rope, EveryVariantTurnsPairsAndLeavesTheRest) {
  for (const RopePairing pairing : {RopePairing::kHalves, RopePairing::kInterleaved}) {
    for (const int64_t rotary_dim : {2, 6, 16, 20, 64, 80, 96, 128}) {
      const int64_t head_dim = rotary_dim + (rotary_dim % 3) * 8;  // Whole and partial.
      constexpr int64_t kHeads = 3;
      RopeFrequencies frequencies = {.pairing = pairing};
      for (int64_t i = 0; i < rotary_dim / 2; ++i) {
        frequencies.radians_per_position.push_back(std::pow(0.7, static_cast<double>(i)));
      }
      const RopeAngles angles = rope_angles(frequencies, 17, 1);
      const std::vector<float> before = normals(kHeads * head_dim, rotary_dim);
      for (const auto& variant : rope_variants()) {
        if (!variant.runs_on(CpuFeatures::host())) continue;
        std::vector<float> x = before;
        variant.function(pairing, angles.cosines.data(), angles.sines.data(), rotary_dim / 2,
                         x.data(), kHeads, head_dim);
        for (int64_t head = 0; head < kHeads; ++head) {
          const std::span<const float> source(before.data() + head * head_dim, head_dim);
          const std::vector<double> exact = turned(angles, 0, source);
          for (int64_t d = 0; d < head_dim; ++d) {
            // One product and the sum are rounded: each at most |a| + |b| in size.
            ASSERT_NEAR(x[head * head_dim + d], exact[d], d < rotary_dim ? 2 * 10 * 0x1p-24 : 0)
                << variant.name << " rotary_dim " << rotary_dim << " element " << d;
          }
        }
      }
    }
  }
}

TEST(Rope, TokensAreStridedAndThreadsDoNotMatter) {
  constexpr int64_t kTokens = 70, kHeads = 9, kHeadDim = 64, kStride = kHeads * kHeadDim + 5;
  const Result<RopeFrequencies> frequencies = rope_frequencies({.rotary_dim = kHeadDim}, 2048);
  const RopeAngles angles = rope_angles(*frequencies, 30, kTokens);
  const std::vector<float> before = normals(kTokens * kStride, 2);
  std::vector<float> one = before, three = before;
  apply_rope(angles, one.data(), kHeads, kHeadDim, kStride, {1});
  apply_rope(angles, three.data(), kHeads, kHeadDim, kStride, {3});
  EXPECT_EQ(one, three);
  for (int64_t token = 0; token < kTokens; ++token) {
    for (int64_t d = kHeads * kHeadDim; d < kStride; ++d) {
      ASSERT_EQ(one[token * kStride + d], before[token * kStride + d]) << "the gap stays";
    }
    const std::vector<double> exact =
        turned(angles, token, std::span(before).subspan(token * kStride + kHeadDim, kHeadDim));
    for (int64_t d = 0; d < kHeadDim; ++d) {
      ASSERT_NEAR(one[token * kStride + kHeadDim + d], exact[d], 2 * 10 * 0x1p-24);
    }
  }
}

// What the embedding is for: scores depend on the distance of positions only.
TEST(Rope, ScoresDependOnDistance) {
  constexpr int64_t kDim = 32;
  const Result<RopeFrequencies> frequencies = rope_frequencies({.rotary_dim = kDim}, 2048);
  const std::vector<float> q = normals(kDim, 1), k = normals(kDim, 2);
  const auto score = [&](int64_t q_position, int64_t k_position) {
    std::vector<float> turned_q = q, turned_k = k;
    apply_rope(rope_angles(*frequencies, q_position, 1), turned_q.data(), 1, kDim, kDim, {1});
    apply_rope(rope_angles(*frequencies, k_position, 1), turned_k.data(), 1, kDim, kDim, {1});
    double sum = 0;
    for (int64_t d = 0; d < kDim; ++d) sum += double{turned_q[d]} * turned_k[d];
    return sum;
  };
  EXPECT_NEAR(score(5, 2), score(1005, 1002), 1e-4);
  EXPECT_GT(std::abs(score(5, 2) - score(5, 3)), 1e-3);
}

}  // namespace
}  // namespace anybit::kernel
