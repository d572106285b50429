// Encoders of the types whose blocks have one scale and equally spaced codes. Without importance
// they follow the plain rules of ggml's reference encoders to the bit; with importance they search
// the scale.
#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "anybit/numeric/ggml/internal/half.h"
#include "anybit/numeric/ggml/internal/quantize.h"
#include "anybit/numeric/ggml/internal/scale_search.h"

namespace anybit::numeric::ggml {
namespace {

constexpr int kBlock = 32;
using Codes = std::array<uint8_t, kBlock>;

/// The code of an exact position, truncated; NaN becomes 0. Pre: 0 <= highest <= 255.
uint8_t truncated(float position, int highest) {
  if (!(position > 0)) return 0;
  if (position >= static_cast<float>(highest)) return static_cast<uint8_t>(highest);
  return static_cast<uint8_t>(position);
}

float reciprocal(float scale) { return scale == 0 ? 0 : 1 / scale; }

/// Nearest integer, ties away from zero, NaN to 0, clamped to [-limit, limit].
int rounded_away(float value, int limit) {
  if (!(value > static_cast<float>(-limit))) return value == value ? -limit : 0;
  if (value >= static_cast<float>(limit)) return limit;
  return static_cast<int>(std::round(value));
}

float first_extreme(const float* values, int count) {
  float best = values[0];
  for (int64_t i = 1; i < count; ++i) {
    if (std::fabs(values[i]) > std::fabs(best)) best = values[i];
  }
  return best;
}

float amax_of(const float* values, int count) { return std::fabs(first_extreme(values, count)); }

/// A row in units of its own, with the weights ggml derives from importance:
/// importance * sqrt(mean square of the row + x^2).
struct WeightedRow {
  std::vector<float> values, weights;
  float unit;

  WeightedRow(const float* input, int64_t count, const float* importance)
      : values(count), weights(count), unit(unit_of(input, count)) {
    double squares = 0;
    for (int64_t i = 0; i < count; ++i) {
      values[i] = input[i] / unit;
      squares += double{values[i]} * values[i];
    }
    const auto mean_square = static_cast<float>(squares / static_cast<double>(count));
    for (int64_t i = 0; i < count; ++i) {
      weights[i] = importance[i] * std::sqrt(mean_square + values[i] * values[i]);
    }
  }

  /// Stores a scale as f16; returns what it will be read as, in units of the row.
  float store_scale(float scale, uint8_t* bytes) const {
    const uint16_t code = f16_scale_from_f32(scale * unit);
    store(bytes, code);
    return f32_from_f16(code) / unit;
  }
};

Codes to_codes(const float* values, AffineFit fit, int low, int high) {
  std::array<float, kBlock> floats;
  encode_codes(values, kBlock, fit, low, high, floats.data());
  Codes codes;
  for (int64_t i = 0; i < kBlock; ++i) {
    codes[i] = static_cast<uint8_t>(static_cast<int>(floats[i]) - low);
  }
  return codes;
}

/// Codes around zero: the value of the largest magnitude becomes code 0.
Codes encode_symmetric(const float* values, int num_negative, uint8_t* scale) {
  const float exact_scale = first_extreme(values, kBlock) / static_cast<float>(-num_negative);
  const float inv_scale = reciprocal(exact_scale);
  store(scale, f16_scale_from_f32(exact_scale));
  Codes codes;
  for (int64_t i = 0; i < kBlock; ++i) {
    codes[i] = truncated(values[i] * inv_scale + (static_cast<float>(num_negative) + 0.5f),
                         2 * num_negative - 1);
  }
  return codes;
}

Codes search_symmetric(const WeightedRow& row, int64_t first, int num_negative, uint8_t* bytes) {
  const float scale =
      ggml::search_symmetric<kBlock>(&row.values[first], &row.weights[first], num_negative);
  const float stored = row.store_scale(scale, bytes);
  return to_codes(&row.values[first], {stored, 0}, -num_negative, num_negative - 1);
}

/// Codes from the least value up. `scale_and_min`: two f16.
Codes encode_affine(const float* values, int max_code, uint8_t* scale_and_min) {
  const auto [least, most] = std::minmax_element(values, values + kBlock);
  const float min = *least;
  const float scale = (*most - min) / static_cast<float>(max_code);
  const float inv_scale = reciprocal(scale);
  store(scale_and_min, f16_scale_from_f32(scale));
  store(scale_and_min + 2, f16_scale_from_f32(min));
  Codes codes;
  for (int64_t i = 0; i < kBlock; ++i) {
    codes[i] = truncated((values[i] - min) * inv_scale + 0.5f, max_code);
  }
  return codes;
}

Codes search_affine(const WeightedRow& row, int64_t first, int max_code, uint8_t* bytes) {
  const AffineFit fit = ggml::search_affine<kBlock>(&row.values[first], &row.weights[first],
                                                    max_code, {-0.9f, 0.05f, 36});
  const AffineFit stored = {row.store_scale(fit.scale, bytes), row.store_scale(fit.min, bytes + 2)};
  return to_codes(&row.values[first], stored, 0, max_code);
}

void pack_nibbles(const Codes& codes, uint8_t* bytes) {
  for (int64_t i = 0; i < 16; ++i) {
    bytes[i] = static_cast<uint8_t>((codes[i] & 15) | (codes[i + 16] & 15) << 4);
  }
}

void pack_fifth_bits(const Codes& codes, uint8_t* bytes) {
  uint32_t bits = 0;
  for (int64_t i = 0; i < kBlock; ++i) bits |= uint32_t{codes[i]} >> 4 << i;
  store(bytes, bits);
}

/// How the encoders of one shape of block differ.
struct SimpleKind {
  int num_codes;
  bool has_min;
  int block_bytes;
};

void encode_row(const SimpleKind& kind, const float* values, int64_t count, const float* importance,
                uint8_t* block) {
  std::vector<WeightedRow> weighted;  // None or one.
  if (importance != nullptr) weighted.emplace_back(values, count, importance);
  const int codes_at = kind.block_bytes - 16;
  for (int64_t i = 0; i < count; i += kBlock, block += kind.block_bytes) {
    Codes codes;
    if (kind.has_min) {
      codes = weighted.empty() ? encode_affine(values + i, kind.num_codes - 1, block)
                               : search_affine(weighted[0], i, kind.num_codes - 1, block);
    } else {
      codes = weighted.empty() ? encode_symmetric(values + i, kind.num_codes / 2, block)
                               : search_symmetric(weighted[0], i, kind.num_codes / 2, block);
    }
    pack_nibbles(codes, block + codes_at);
    if (kind.num_codes == 32) pack_fifth_bits(codes, block + codes_at - 4);
  }
}

/// Codes -1, 0, 1 (0, 1, 2 here) of 256 values, and the f16 scale.
using Trits = std::array<uint8_t, 256>;

/// The scale whose nearest codes have the least weighted error, of `kSteps` that clip ever more.
float search_ternary_scale(const float* values, const float* importance, int count, float amax) {
  constexpr int kSteps = 32;
  float best_scale = amax;
  double best_explained = 0;
  for (int64_t step = 1; step <= kSteps; ++step) {
    // Values beyond half of a scale become +-1.
    const float threshold = 0.5f * amax * static_cast<float>(step) / kSteps;
    double weight = 0, sum = 0;
    for (int64_t i = 0; i < count; ++i) {
      if (std::fabs(values[i]) < threshold) continue;
      weight += importance[i];
      sum += double{importance[i]} * std::fabs(values[i]);
    }
    if (weight > 0 && sum * sum > best_explained * weight) {
      best_explained = sum * sum / weight;
      best_scale = static_cast<float>(sum / weight);
    }
  }
  return best_scale;
}

Trits encode_trits(const float* values, const float* importance, uint8_t* scale_bytes) {
  const float amax = amax_of(values, 256);
  const float scale =
      importance == nullptr ? amax : search_ternary_scale(values, importance, 256, amax);
  store(scale_bytes, f16_scale_from_f32(scale));
  const float inv_scale = reciprocal(scale);
  Trits trits;
  for (int64_t i = 0; i < 256; ++i) {
    trits[i] = static_cast<uint8_t>(rounded_away(values[i] * inv_scale, 1) + 1);
  }
  return trits;
}

/// `digits` trits a byte, trit n of byte i at n * count + i; base 3, stretched from 243 to 256.
const uint8_t* pack_trits(const uint8_t* trits, int count, int digits, uint8_t* bytes) {
  for (int64_t i = 0; i < count; ++i) {
    int number = 0;
    for (int64_t digit = 0; digit < 5; ++digit) {
      number = number * 3 + (digit < digits ? trits[digit * count + i] : 0);
    }
    bytes[i] = static_cast<uint8_t>((number * 256 + 242) / 243);
  }
  return trits + count * digits;
}

}  // namespace

void quantize_q4_0(const float* values, int64_t count, const float* importance, uint8_t* blocks) {
  encode_row({16, false, 18}, values, count, importance, blocks);
}

void quantize_q4_1(const float* values, int64_t count, const float* importance, uint8_t* blocks) {
  encode_row({16, true, 20}, values, count, importance, blocks);
}

void quantize_q5_0(const float* values, int64_t count, const float* importance, uint8_t* blocks) {
  encode_row({32, false, 22}, values, count, importance, blocks);
}

void quantize_q5_1(const float* values, int64_t count, const float* importance, uint8_t* blocks) {
  encode_row({32, true, 24}, values, count, importance, blocks);
}

void quantize_q8_0(const float* values, int64_t count, const float*, uint8_t* blocks) {
  for (int64_t i = 0; i < count; i += kBlock, blocks += 34) {
    const float scale = amax_of(values + i, kBlock) / 127;
    const float inv_scale = reciprocal(scale);
    store(blocks, f16_scale_from_f32(scale));
    for (int64_t j = 0; j < kBlock; ++j) {
      blocks[2 + j] = static_cast<uint8_t>(rounded_away(values[i + j] * inv_scale, 127));
    }
  }
}

void quantize_tq1_0(const float* values, int64_t count, const float* importance, uint8_t* blocks) {
  for (int64_t i = 0; i < count; i += 256, blocks += 54) {
    const Trits trits =
        encode_trits(values + i, importance != nullptr ? importance + i : nullptr, blocks + 52);
    const uint8_t* rest = pack_trits(trits.data(), 32, 5, blocks);
    rest = pack_trits(rest, 16, 5, blocks + 32);
    pack_trits(rest, 4, 4, blocks + 48);
  }
}

void quantize_tq2_0(const float* values, int64_t count, const float* importance, uint8_t* blocks) {
  for (int64_t i = 0; i < count; i += 256, blocks += 66) {
    const Trits trits =
        encode_trits(values + i, importance != nullptr ? importance + i : nullptr, blocks + 64);
    for (int64_t j = 0; j < 64; ++j) {
      const uint8_t* t = trits.data() + j / 32 * 128 + j % 32;
      blocks[j] = static_cast<uint8_t>(t[0] | t[32] << 2 | t[64] << 4 | t[96] << 6);
    }
  }
}

/// Signs, and the (weighted) mean magnitude: the best scale for them.
void quantize_q1_0(const float* values, int64_t count, const float* importance, uint8_t* blocks) {
  for (int64_t i = 0; i < count; i += 128, blocks += 18) {
    float weight = 0, sum = 0;
    for (int64_t j = i; j < i + 128; ++j) {
      const float w = importance != nullptr ? importance[j] : 1;
      weight += w;
      sum += w * std::fabs(values[j]);
    }
    store(blocks, f16_scale_from_f32(weight > 0 ? sum / weight : 0));
    std::fill_n(blocks + 2, 16, uint8_t{0});
    for (int64_t j = 0; j < 128; ++j) {
      blocks[2 + j / 8] |= static_cast<uint8_t>((values[i + j] >= 0) << (j % 8));
    }
  }
}

/// Codes -1 .. 2. Without importance the scale is amax, and code 2 goes unused.
void quantize_q2_0(const float* values, int64_t count, const float* importance, uint8_t* blocks) {
  for (int64_t i = 0; i < count; i += 64, blocks += 18) {
    const float amax = amax_of(values + i, 64);
    const float scale =
        importance == nullptr ? amax : search_ternary_scale(values + i, importance + i, 64, amax);
    const float inv_scale = reciprocal(scale);
    store(blocks, f16_scale_from_f32(scale));
    std::fill_n(blocks + 2, 16, uint8_t{0});
    for (int64_t j = 0; j < 64; ++j) {
      const int code = std::max(rounded_away(values[i + j] * inv_scale, 2), -1) + 1;
      blocks[2 + j / 4] |= static_cast<uint8_t>(code << (j % 4 * 2));
    }
  }
}

}  // namespace anybit::numeric::ggml
