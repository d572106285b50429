// Encoders of the k-quants: a search for the scale of each group, sub-scales rounded to integers,
// codes rounded with the scales as stored.
#include <algorithm>
#include <array>
#include <cmath>

#include "anybit/numeric/ggml/internal/half.h"
#include "anybit/numeric/ggml/internal/lanes.h"
#include "anybit/numeric/ggml/internal/quantize.h"
#include "anybit/numeric/ggml/internal/scale_search.h"

namespace anybit::numeric::ggml {
namespace {

constexpr int kSuper = 256;
using Floats = std::array<float, kSuper>;

/// A super-block in units of its own, so that searches neither overflow nor underflow.
struct SuperBlock {
  Floats values, weights;
  float unit;
  float mean_square = 0;

  explicit SuperBlock(const float* input) : unit(unit_of(input, kSuper)) {
    const float inv_unit = 1 / unit;
    F32x4 squares{};
    for (int64_t i = 0; i < kSuper; i += 4) {
      const F32x4 lanes = load_lanes(input + i) * inv_unit;
      store_lanes(&values[i], lanes);
      squares += lanes * lanes;
    }
    mean_square = sum_of_lanes(squares) / kSuper;
  }

  /// w = importance * sqrt(variance + x^2).
  void weigh_by_importance(const float* importance, float variance) {
    for (int64_t i = 0; i < kSuper; ++i) {
      weights[i] = importance[i] * std::sqrt(variance + values[i] * values[i]);
    }
  }

  /// w = x^2.
  void weigh_by_square() {
    for (int64_t i = 0; i < kSuper; ++i) weights[i] = values[i] * values[i];
  }

  /// w = |x| + `share` * (root of the mean square of its group).
  void weigh_by_magnitude(int group_size, float share) {
    for (int64_t first = 0; first < kSuper; first += group_size) {
      float squares = 0;
      for (int64_t i = 0; i < group_size; ++i) squares += values[first + i] * values[first + i];
      const float base = share * std::sqrt(squares / static_cast<float>(group_size));
      for (int64_t i = 0; i < group_size; ++i)
        weights[first + i] = base + std::fabs(values[first + i]);
    }
  }

  /// Stores a scale as f16 and returns what it will be read as, in units of this super-block.
  float store_scale(float scale, uint8_t* bytes) const {
    const uint16_t code = f16_scale_from_f32(scale * unit);
    store(bytes, code);
    return f32_from_f16(code) / unit;
  }
};

/// The weight of each group: the sum over its elements.
std::array<float, 16> sum_groups(const Floats& weights, int group_size) {
  std::array<float, 16> sums{};
  for (int64_t i = 0; i < kSuper; ++i) sums[i / group_size] += weights[i];
  return sums;
}

// The two searches ggml uses, for codes without and with importance.
constexpr AffineSearch kWithImportance = {-0.9f, 0.05f, 36};

/// What distinguishes Q2_K, Q4_K and Q5_K.
struct AffineKind {
  int max_code;
  int max_sub_scale;
  float variance_factor;  // Of the mean square, in the weights that importance gives.
  float magnitude_share;  // weigh_by_magnitude(), without importance.
  AffineSearch plain;     // Without importance.
};

constexpr AffineKind kQ2K = {3, 15, 1, 0, {-0.5f, 0.1f, 15, true}};
constexpr AffineKind kQ4K = {15, 63, 2, 1, {-1.0f, 0.1f, 20}};
constexpr AffineKind kQ5K = {31, 63, 2, 1, {-0.5f, 0.1f, 15}};

/// An encoded super-block of the kinds with mins, before packing.
struct AffineCodes {
  Floats codes;
  std::array<float, 16> sub_scales, sub_mins;  // Integers.
};

/// Quantizes the scales (or the mins) of the groups. Returns the super-scale as stored.
float encode_sub_scales(const SuperBlock& block, const std::array<float, 16>& scales,
                        const float* group_weights, int num_groups, int max_sub_scale,
                        std::array<float, 16>& sub_scales, uint8_t* bytes) {
  const float super_scale =
      group_weights != nullptr
          ? search_positive(scales.data(), group_weights, num_groups, max_sub_scale)
          : *std::max_element(scales.begin(), scales.begin() + num_groups) /
                static_cast<float>(max_sub_scale);
  const float stored = block.store_scale(std::max(super_scale, 0.0f), bytes);
  encode_codes(scales.data(), num_groups, {stored, 0}, 0, max_sub_scale, sub_scales.data());
  return stored;
}

template <int GroupSize>
void encode_affine(const float* input, const float* importance, const AffineKind& kind,
                   uint8_t* scale_bytes, uint8_t* min_bytes, AffineCodes& out) {
  constexpr int kNumGroups = kSuper / GroupSize;
  SuperBlock block(input);
  std::array<float, 16> group_weights, scales, mins;
  if (importance != nullptr) {
    block.weigh_by_importance(importance, kind.variance_factor * block.mean_square);
    group_weights = sum_groups(block.weights, GroupSize);
  } else {
    block.weigh_by_magnitude(GroupSize, kind.magnitude_share);
  }
  for (int64_t group = 0; group < kNumGroups; ++group) {
    const AffineFit fit = search_affine<GroupSize>(
        &block.values[group * GroupSize], &block.weights[group * GroupSize], kind.max_code,
        importance != nullptr ? kWithImportance : kind.plain);
    scales[group] = fit.scale;
    mins[group] = -fit.min;
  }
  const float* weights = importance != nullptr ? group_weights.data() : nullptr;
  const float super_scale = encode_sub_scales(block, scales, weights, kNumGroups,
                                              kind.max_sub_scale, out.sub_scales, scale_bytes);
  const float super_min = encode_sub_scales(block, mins, weights, kNumGroups, kind.max_sub_scale,
                                            out.sub_mins, min_bytes);
  for (int64_t group = 0; group < kNumGroups; ++group) {
    const AffineFit fit = {super_scale * out.sub_scales[group], -(super_min * out.sub_mins[group])};
    encode_codes(&block.values[group * GroupSize], GroupSize, fit, 0, kind.max_code,
                 &out.codes[group * GroupSize]);
  }
}

/// The same for the kinds without mins, Q3_K and Q6_K: `scales` of 16 groups of 16.
void encode_symmetric(const SuperBlock& block, const std::array<float, 16>& scales,
                      float super_scale, int num_negative_subs, int num_negative_codes,
                      uint8_t* scale_bytes, std::array<float, 16>& sub_scales, Floats& codes) {
  const float stored = block.store_scale(super_scale, scale_bytes);
  encode_codes(scales.data(), 16, {stored, 0}, -num_negative_subs, num_negative_subs - 1,
               sub_scales.data());
  for (int64_t group = 0; group < 16; ++group) {
    encode_codes(&block.values[group * 16], 16, {stored * sub_scales[group], 0},
                 -num_negative_codes, num_negative_codes - 1, &codes[group * 16]);
  }
}

/// The super-scale that gives the largest scale the most negative sub-scale.
float super_scale_of_extreme(const std::array<float, 16>& scales, int num_negative) {
  float largest = 0;
  for (const float scale : scales) {
    if (std::fabs(scale) > std::fabs(largest)) largest = scale;
  }
  return -largest / static_cast<float>(num_negative);
}

uint8_t to_code(float value, int offset = 0) {
  return static_cast<uint8_t>(static_cast<int>(value) + offset);
}

void pack_crumbs(const uint8_t* codes, uint8_t* bytes) {
  for (int64_t half = 0; half < 2; ++half, codes += 128) {
    for (int64_t i = 0; i < 32; ++i) {
      *bytes++ = static_cast<uint8_t>((codes[i] & 3) | (codes[i + 32] & 3) << 2 |
                                      (codes[i + 64] & 3) << 4 | (codes[i + 96] & 3) << 6);
    }
  }
}

void pack_nibbles_by_64(const uint8_t* codes, uint8_t* bytes) {
  for (int64_t quarter = 0; quarter < 4; ++quarter, codes += 64) {
    for (int64_t i = 0; i < 32; ++i) {
      *bytes++ = static_cast<uint8_t>((codes[i] & 15) | (codes[i + 32] & 15) << 4);
    }
  }
}

/// Bit `bit` of each code: byte i % 32, bit i / 32.
void pack_one_bit(const uint8_t* codes, int bit, uint8_t* bytes) {
  std::fill_n(bytes, 32, uint8_t{0});
  for (int64_t i = 0; i < kSuper; ++i) {
    bytes[i % 32] = static_cast<uint8_t>(bytes[i % 32] | (codes[i] >> bit & 1) << (i / 32));
  }
}

std::array<uint8_t, kSuper> to_codes(const Floats& values, int offset = 0) {
  std::array<uint8_t, kSuper> codes;
  for (int64_t i = 0; i < kSuper; ++i) codes[i] = to_code(values[i], offset);
  return codes;
}

void pack_six_bit_pairs(const AffineCodes& encoded, uint8_t* bytes) {
  for (int64_t i = 0; i < 4; ++i) {
    const uint8_t scale = to_code(encoded.sub_scales[i]), min = to_code(encoded.sub_mins[i]);
    const uint8_t scale4 = to_code(encoded.sub_scales[i + 4]);
    const uint8_t min4 = to_code(encoded.sub_mins[i + 4]);
    bytes[i] = static_cast<uint8_t>(scale | scale4 >> 4 << 6);
    bytes[i + 4] = static_cast<uint8_t>(min | min4 >> 4 << 6);
    bytes[i + 8] = static_cast<uint8_t>((scale4 & 15) | (min4 & 15) << 4);
  }
}

void encode_q2_k(const float* values, const float* importance, uint8_t* block) {
  AffineCodes encoded;
  encode_affine<16>(values, importance, kQ2K, block + 80, block + 82, encoded);
  for (int64_t group = 0; group < 16; ++group) {
    block[group] = static_cast<uint8_t>(to_code(encoded.sub_scales[group]) |
                                        to_code(encoded.sub_mins[group]) << 4);
  }
  pack_crumbs(to_codes(encoded.codes).data(), block + 16);
}

void encode_q4_k(const float* values, const float* importance, uint8_t* block) {
  AffineCodes encoded;
  encode_affine<32>(values, importance, kQ4K, block, block + 2, encoded);
  pack_six_bit_pairs(encoded, block + 4);
  pack_nibbles_by_64(to_codes(encoded.codes).data(), block + 16);
}

void encode_q5_k(const float* values, const float* importance, uint8_t* block) {
  AffineCodes encoded;
  encode_affine<32>(values, importance, kQ5K, block, block + 2, encoded);
  pack_six_bit_pairs(encoded, block + 4);
  const auto codes = to_codes(encoded.codes);
  pack_one_bit(codes.data(), 4, block + 16);
  pack_nibbles_by_64(codes.data(), block + 48);
}

void encode_q3_k(const float* values, const float* importance, uint8_t* block) {
  // ggml weighs by x^2 where there is no importance; importance 1 gives a lower plain error.
  static constexpr Floats kOnes = [] {
    Floats ones{};
    for (float& one : ones) one = 1;
    return ones;
  }();
  SuperBlock super(values);
  super.weigh_by_importance(importance != nullptr ? importance : kOnes.data(),
                            2 * super.mean_square);
  std::array<float, 16> scales, sub_scales;
  for (int64_t group = 0; group < 16; ++group) {
    scales[group] = search_symmetric<16>(&super.values[16 * group], &super.weights[16 * group], 4);
  }
  const float super_scale =
      search_symmetric<16>(scales.data(), sum_groups(super.weights, 16).data(), 32);
  Floats floats;
  encode_symmetric(super, scales, super_scale, 32, 4, block + 108, sub_scales, floats);
  uint8_t* packed_scales = block + 96;
  std::fill_n(packed_scales, 12, uint8_t{0});
  for (int64_t group = 0; group < 16; ++group) {
    const uint8_t scale = to_code(sub_scales[group], 32);
    packed_scales[group % 8] |= static_cast<uint8_t>((scale & 15) << (group / 8 * 4));
    packed_scales[8 + group % 4] |= static_cast<uint8_t>(scale >> 4 << (group / 4 * 2));
  }
  const auto codes = to_codes(floats, 4);
  pack_one_bit(codes.data(), 2, block);
  pack_crumbs(codes.data(), block + 32);
}

void encode_q6_k(const float* values, const float* importance, uint8_t* block) {
  SuperBlock super(values);
  if (importance != nullptr) {
    std::copy_n(importance, kSuper, super.weights.begin());
  } else {
    super.weigh_by_square();
  }
  std::array<float, 16> scales, sub_scales;
  for (int64_t group = 0; group < 16; ++group) {
    scales[group] = search_symmetric<16>(&super.values[16 * group], &super.weights[16 * group], 32);
  }
  Floats floats;
  encode_symmetric(super, scales, super_scale_of_extreme(scales, 128), 128, 32, block + 208,
                   sub_scales, floats);
  for (int64_t group = 0; group < 16; ++group) block[192 + group] = to_code(sub_scales[group]);
  const auto codes = to_codes(floats, 32);
  std::array<uint8_t, kSuper> high_bits;
  for (int64_t i = 0; i < kSuper; ++i) high_bits[i] = codes[i] >> 4;
  pack_crumbs(high_bits.data(), block + 128);
  for (int64_t i = 0; i < 128; ++i) {
    const uint8_t* half = codes.data() + i / 64 * 128 + i % 64;
    block[i] = static_cast<uint8_t>((half[0] & 15) | (half[64] & 15) << 4);
  }
}

template <void (*Encode)(const float*, const float*, uint8_t*), int BlockBytes>
void encode_row(const float* values, int64_t count, const float* importance, uint8_t* blocks) {
  for (int64_t i = 0; i < count; i += kSuper, blocks += BlockBytes) {
    Encode(values + i, importance != nullptr ? importance + i : nullptr, blocks);
  }
}

}  // namespace

void quantize_q2_k(const float* values, int64_t count, const float* importance, uint8_t* blocks) {
  encode_row<encode_q2_k, 84>(values, count, importance, blocks);
}

void quantize_q3_k(const float* values, int64_t count, const float* importance, uint8_t* blocks) {
  encode_row<encode_q3_k, 110>(values, count, importance, blocks);
}

void quantize_q4_k(const float* values, int64_t count, const float* importance, uint8_t* blocks) {
  encode_row<encode_q4_k, 144>(values, count, importance, blocks);
}

void quantize_q5_k(const float* values, int64_t count, const float* importance, uint8_t* blocks) {
  encode_row<encode_q5_k, 176>(values, count, importance, blocks);
}

void quantize_q6_k(const float* values, int64_t count, const float* importance, uint8_t* blocks) {
  encode_row<encode_q6_k, 210>(values, count, importance, blocks);
}

}  // namespace anybit::numeric::ggml
