// Encoders of the types with unequal levels: IQ4_NL, IQ4_XS, MXFP4, NVFP4; and the table of all
// encoders.
#include <algorithm>
#include <array>
#include <bit>
#include <cmath>

#include "anybit/numeric/ggml/internal/half.h"
#include "anybit/numeric/ggml/internal/lanes.h"
#include "anybit/numeric/ggml/internal/quantize.h"
#include "anybit/numeric/ggml/internal/scale_search.h"
#include "anybit/numeric/ggml/internal/unpack.h"

namespace anybit::numeric::ggml {
namespace {

constexpr int64_t kGroup = 32;

/// Between neighbours of kIq4Levels; a position on the border goes to the upper level.
constexpr std::array<float, 15> kIq4Borders = [] {
  std::array<float, 15> borders{};
  for (int64_t i = 0; i < 15; ++i) {
    borders[i] = 0.5f * static_cast<float>(kIq4Levels[i] + kIq4Levels[i + 1]);
  }
  return borders;
}();

/// The nearest levels, as values.
F32x4 nearest_iq4_levels(F32x4 position) {
  F32x4 level = F32x4{} + static_cast<float>(kIq4Levels[0]);
  for (int64_t i = 0; i < 15; ++i) {
    const float step = static_cast<float>(kIq4Levels[i + 1] - kIq4Levels[i]);
    level += position >= kIq4Borders[i] ? F32x4{} + step : F32x4{};
  }
  return level;
}

uint8_t nearest_iq4_code(float position) {
  uint8_t code = 0;
  for (const float border : kIq4Borders) code = static_cast<uint8_t>(code + (position >= border));
  return code;
}

/// The scale for value = scale * level with the least weighted error, of 16 candidates around the
/// one that gives the largest magnitude level -127, each refined by least squares.
/// Source: ggml, quantize_row_iq4_nl_impl.
float search_iq4_scale(const float* values, const float* weights) {
  float largest = 0;
  for (int64_t i = 0; i < kGroup; ++i) {
    if (std::fabs(values[i]) > std::fabs(largest)) largest = values[i];
  }
  if (std::fabs(largest) < 1e-15f) return 0;
  float best_scale = 0, best_explained = 0;
  constexpr int kTries = 7;
  for (int64_t offset = -kTries; offset <= kTries + 1; ++offset) {
    // The last candidate: the opposite sign, where level 113 meets -127 half-way.
    const float numerator = offset <= kTries ? static_cast<float>(offset + kIq4Levels[0]) : 127.0f;
    const float inv_scale = numerator / largest;
    F32x4 level_x{}, level_level{};
    for (int64_t i = 0; i < kGroup; i += 4) {
      const F32x4 x = load_lanes(values + i);
      const F32x4 level = nearest_iq4_levels(x * inv_scale);
      const F32x4 weighted = load_lanes(weights + i) * level;
      level_x += weighted * x;
      level_level += weighted * level;
    }
    const float lx = sum_of_lanes(level_x), ll = sum_of_lanes(level_level);
    if (ll > 0 && lx * lx > best_explained * ll) {
      best_scale = lx / ll;
      best_explained = best_scale * lx;
    }
  }
  return best_scale;
}

/// w = x^2, or importance * sqrt(variance + x^2).
void weigh(const float* values, const float* importance, float variance, int count,
           float* weights) {
  for (int64_t i = 0; i < count; ++i) {
    const float square = values[i] * values[i];
    weights[i] = importance != nullptr ? importance[i] * std::sqrt(variance + square) : square;
  }
}

/// Values in units of `unit`, and their weights; the variance is twice the mean square.
template <int Count>
struct Scaled {
  std::array<float, Count> values, weights;
  float unit;

  Scaled(const float* input, const float* importance) : unit(unit_of(input, Count)) {
    float squares = 0;
    for (int64_t i = 0; i < Count; ++i) {
      values[i] = input[i] / unit;
      squares += values[i] * values[i];
    }
    weigh(values.data(), importance, 2 * squares / Count, Count, weights.data());
  }

  float store_scale(float scale, uint8_t* bytes) const {
    const uint16_t code = f16_scale_from_f32(scale * unit);
    store(bytes, code);
    return f32_from_f16(code) / unit;
  }
};

void pack_iq4_codes(const float* values, float scale, uint8_t* bytes) {
  const float inv_scale = scale == 0 ? 0 : 1 / scale;
  for (int64_t i = 0; i < 16; ++i) {
    bytes[i] = static_cast<uint8_t>(nearest_iq4_code(values[i] * inv_scale) |
                                    nearest_iq4_code(values[i + 16] * inv_scale) << 4);
  }
}

void encode_iq4_xs(const float* input, const float* importance, uint8_t* block) {
  const Scaled<256> super(input, importance);
  std::array<float, 8> scales;
  for (int64_t group = 0; group < 8; ++group) {
    scales[group] = search_iq4_scale(&super.values[group * kGroup], &super.weights[group * kGroup]);
  }
  float largest = 0;
  for (const float scale : scales) {
    if (std::fabs(scale) > std::fabs(largest)) largest = scale;
  }
  const float stored = super.store_scale(-largest / 32, block);
  std::array<float, 8> sub_scales;
  encode_codes(scales.data(), 8, {stored, 0}, -32, 31, sub_scales.data());
  uint16_t high_bits = 0;
  std::fill_n(block + 4, 4, uint8_t{0});
  for (int64_t group = 0; group < 8; ++group) {
    const auto code = static_cast<unsigned>(static_cast<int>(sub_scales[group]) + 32);
    block[4 + group / 2] |= static_cast<uint8_t>((code & 15) << (group % 2 * 4));
    high_bits = static_cast<uint16_t>(high_bits | code >> 4 << (2 * group));
    pack_iq4_codes(&super.values[group * kGroup], stored * sub_scales[group],
                   block + 8 + 16 * group);
  }
  store(block + 2, high_bits);
}

/// Code of the nearest FP4 value, kept doubled; ties go to the smaller magnitude. `scale`: of one
/// unit of kFp4Levels. As ggml: zero and what rounds to it is code 0 whatever its sign.
uint8_t nearest_fp4_code(float value, float scale) {
  if (!(scale > 0)) return 0;
  const float magnitude = std::fabs(value);
  uint8_t code = 0;
  for (const float border : {0.5f, 1.5f, 2.5f, 3.5f, 5.0f, 7.0f, 10.0f}) {
    code = static_cast<uint8_t>(code + (magnitude > border * scale));
  }
  return code != 0 && value < 0 ? static_cast<uint8_t>(code | 8) : code;
}

double fp4_error(const float* values, const float* importance, int count, float scale) {
  double error = 0;
  for (int64_t i = 0; i < count; ++i) {
    const double difference =
        double{scale} * kFp4Levels[nearest_fp4_code(values[i], scale)] - values[i];
    error += importance[i] * difference * difference;
  }
  return error;
}

/// Of the scale codes within `reach` of `code`, the one with the least weighted error.
uint8_t search_fp4_scale(const float* values, const float* importance, int count, int code,
                         int reach, int max_code, float (*decode)(uint8_t)) {
  int best = code;
  double best_error = fp4_error(values, importance, count, decode(static_cast<uint8_t>(code)));
  for (int candidate = std::max(code - reach, 0); candidate <= std::min(code + reach, max_code);
       ++candidate) {
    const double error =
        fp4_error(values, importance, count, decode(static_cast<uint8_t>(candidate)));
    if (error < best_error) {
      best_error = error;
      best = candidate;
    }
  }
  return static_cast<uint8_t>(best);
}

void pack_fp4_codes(const float* values, int count, float scale, uint8_t* bytes) {
  for (int64_t i = 0; i < count / 2; ++i) {
    bytes[i] = static_cast<uint8_t>(nearest_fp4_code(values[i], scale) |
                                    nearest_fp4_code(values[i + count / 2], scale) << 4);
  }
}

float amax_of(const float* values, int count) {
  float amax = 0;
  for (int64_t i = 0; i < count; ++i) amax = std::max(amax, std::fabs(values[i]));
  return amax;
}

/// The largest with which 6, the largest FP4 value, is finite in f32.
constexpr int kMaxE8m0Code = 125 + 127;

/// The OCP rule: the exponent of amax less that of the largest FP4 value, 6 = 1.5 * 2^2.
uint8_t ocp_scale_code(float amax) {
  if (amax == 0) return 0;
  int exponent;
  std::frexp(amax, &exponent);
  return static_cast<uint8_t>(std::clamp(exponent - 1 - 2 + 127, 0, kMaxE8m0Code));
}

struct QuantizerRow {
  GgmlType type;
  QuantizeRow* function;
};

using enum GgmlType;
constexpr QuantizerRow kQuantizers[] = {
    {kQ4_0, quantize_q4_0},   {kQ4_1, quantize_q4_1},     {kQ5_0, quantize_q5_0},
    {kQ5_1, quantize_q5_1},   {kQ8_0, quantize_q8_0},     {kQ2_K, quantize_q2_k},
    {kQ3_K, quantize_q3_k},   {kQ4_K, quantize_q4_k},     {kQ5_K, quantize_q5_k},
    {kQ6_K, quantize_q6_k},   {kIQ4_NL, quantize_iq4_nl}, {kIQ4_XS, quantize_iq4_xs},
    {kTQ1_0, quantize_tq1_0}, {kTQ2_0, quantize_tq2_0},   {kMXFP4, quantize_mxfp4},
    {kNVFP4, quantize_nvfp4}, {kQ1_0, quantize_q1_0},     {kQ2_0, quantize_q2_0},
};

}  // namespace

void quantize_iq4_nl(const float* values, int64_t count, const float* importance, uint8_t* blocks) {
  for (int64_t i = 0; i < count; i += kGroup, blocks += 18) {
    const Scaled<kGroup> group(values + i, importance != nullptr ? importance + i : nullptr);
    const float scale = search_iq4_scale(group.values.data(), group.weights.data());
    pack_iq4_codes(group.values.data(), group.store_scale(scale, blocks), blocks + 2);
  }
}

void quantize_iq4_xs(const float* values, int64_t count, const float* importance, uint8_t* blocks) {
  for (int64_t i = 0; i < count; i += 256, blocks += 136) {
    encode_iq4_xs(values + i, importance != nullptr ? importance + i : nullptr, blocks);
  }
}

void quantize_mxfp4(const float* values, int64_t count, const float* importance, uint8_t* blocks) {
  for (int64_t i = 0; i < count; i += 32, blocks += 17) {
    uint8_t code = ocp_scale_code(amax_of(values + i, 32));
    if (importance != nullptr) {
      code = search_fp4_scale(values + i, importance + i, 32, code, 1, kMaxE8m0Code, half_of_e8m0);
    }
    blocks[0] = code;
    pack_fp4_codes(values + i, 32, half_of_e8m0(code), blocks + 1);
  }
}

void quantize_nvfp4(const float* values, int64_t count, const float* importance, uint8_t* blocks) {
  for (int64_t i = 0; i < count; i += 64, blocks += 36) {
    for (int64_t group = 0; group < 4; ++group) {
      const int64_t first = i + 16 * group;
      uint8_t code = ue4m3_from_f32(amax_of(values + first, 16) / 6);
      if (importance != nullptr) {
        code =
            search_fp4_scale(values + first, importance + first, 16, code, 4, 0x7e, half_of_ue4m3);
      }
      blocks[group] = code;
      pack_fp4_codes(values + first, 16, half_of_ue4m3(code), blocks + 4 + 8 * group);
    }
  }
}

QuantizeRow* find_quantizer(GgmlType type) {
  const auto* row = std::find_if(std::begin(kQuantizers), std::end(kQuantizers),
                                 [type](const QuantizerRow& q) { return q.type == type; });
  return row == std::end(kQuantizers) ? nullptr : row->function;
}

}  // namespace anybit::numeric::ggml
