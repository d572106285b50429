// The IQ types: points of a codebook, signs, and odd sub-scales.
// A level's code counts the signed levels in ascending order: with n magnitudes, magnitude d is
// code n + d, its negative is n - 1 - d.
// Source of all layouts: ggml-common.h and ggml-quants.c of ggml.
#include <array>
#include <bit>
#include <cstddef>

#include "anybit/numeric/ggml/internal/half.h"
#include "anybit/numeric/ggml/internal/iq_codebook.h"
#include "anybit/numeric/ggml/internal/unpack.h"

namespace anybit::numeric::ggml {
namespace {

float load_f16(const uint8_t* bytes) { return f32_from_f16(load<uint16_t>(bytes)); }

/// Seven stored signs; the eighth makes their number even.
uint8_t even_signs(uint32_t seven_bits) {
  return static_cast<uint8_t>(seven_bits | (std::popcount(seven_bits) & 1) << 7);
}

template <size_t Elements>
void put_point(const std::array<uint8_t, Elements>& point, int num_magnitudes, unsigned signs,
               uint8_t* codes) {
  for (size_t i = 0; i < Elements; ++i) {
    const bool negative = signs >> i & 1;
    codes[i] =
        static_cast<uint8_t>(negative ? num_magnitudes - 1 - point[i] : num_magnitudes + point[i]);
  }
}

/// Nibble `index` as the odd sub-scale 2 n + 1.
int8_t odd_scale(const uint8_t* nibbles, int64_t index) {
  return static_cast<int8_t>((nibbles[index / 2] >> (index % 2 * 4) & 15) * 2 + 1);
}

/// Codes of IQ1: 8 g + delta with g in {-1, 0, 1} and delta = -1 or 1, in ascending order.
void put_ternary_point(const std::array<uint8_t, 8>& point, bool negative_delta, uint8_t* codes) {
  for (int64_t i = 0; i < 8; ++i) codes[i] = static_cast<uint8_t>(2 * point[i] + !negative_delta);
}

}  // namespace

void unpack_iq2_xxs(const uint8_t* block, const BlockGroups& out) {
  *out.super_scales = load_f16(block) * 0.125f;
  for (int64_t group = 0; group < 8; ++group) {
    const uint8_t* points = block + 2 + 8 * group;
    const uint32_t signs = load<uint32_t>(points + 4);
    out.sub_scales[group] = static_cast<int8_t>((signs >> 28) * 2 + 1);
    for (int64_t i = 0; i < 4; ++i) {
      put_point(kIq2XxsCodebook[points[i]], 3, even_signs(signs >> (7 * i) & 127),
                out.codes + 32 * group + 8 * i);
    }
  }
}

void unpack_iq2_xs(const uint8_t* block, const BlockGroups& out) {
  *out.super_scales = load_f16(block) * 0.125f;
  for (int64_t group = 0; group < 16; ++group) out.sub_scales[group] = odd_scale(block + 66, group);
  for (int64_t i = 0; i < 32; ++i) {
    const uint16_t point = load<uint16_t>(block + 2 + 2 * i);
    put_point(kIq2XsCodebook[point & 511], 3, even_signs(point >> 9), out.codes + 8 * i);
  }
}

void unpack_iq2_s(const uint8_t* block, const BlockGroups& out) {
  *out.super_scales = load_f16(block) * 0.125f;
  for (int64_t group = 0; group < 16; ++group) out.sub_scales[group] = odd_scale(block + 74, group);
  for (int64_t i = 0; i < 32; ++i) {
    const int high = block[66 + i / 4] >> (i % 4 * 2) & 3;
    put_point(kIq2SCodebook[block[2 + i] | high << 8], 3, block[34 + i], out.codes + 8 * i);
  }
}

void unpack_iq3_xxs(const uint8_t* block, const BlockGroups& out) {
  *out.super_scales = load_f16(block) * 0.25f;
  for (int64_t group = 0; group < 8; ++group) {
    const uint32_t signs = load<uint32_t>(block + 66 + 4 * group);
    out.sub_scales[group] = static_cast<int8_t>((signs >> 28) * 2 + 1);
    for (int64_t i = 0; i < 8; ++i) {
      const unsigned pair_signs = even_signs(signs >> (i / 2 * 7) & 127);
      put_point(kIq3XxsCodebook[block[2 + 8 * group + i]], 8, pair_signs >> (i % 2 * 4),
                out.codes + 32 * group + 4 * i);
    }
  }
}

void unpack_iq3_s(const uint8_t* block, const BlockGroups& out) {
  *out.super_scales = load_f16(block);
  for (int64_t group = 0; group < 8; ++group) out.sub_scales[group] = odd_scale(block + 106, group);
  for (int64_t i = 0; i < 64; ++i) {
    const int high = block[66 + i / 8] >> (i % 8) & 1;
    put_point(kIq3SCodebook[block[2 + i] | high << 8], 8, block[74 + i / 2] >> (i % 2 * 4),
              out.codes + 4 * i);
  }
}

void unpack_iq1_s(const uint8_t* block, const BlockGroups& out) {
  *out.super_scales = load_f16(block) * 0.125f;
  for (int64_t group = 0; group < 8; ++group) {
    const uint16_t high = load<uint16_t>(block + 34 + 2 * group);
    out.sub_scales[group] = static_cast<int8_t>((high >> 12 & 7) * 2 + 1);
    for (int64_t i = 0; i < 4; ++i) {
      const int point = block[2 + 4 * group + i] | (high >> (3 * i) & 7) << 8;
      put_ternary_point(kIq1SCodebook[point], high >> 15, out.codes + 32 * group + 8 * i);
    }
  }
}

void unpack_iq1_m(const uint8_t* block, const BlockGroups& out) {
  // Each of four words holds four 3-bit sub-scales and, on top, a nibble of the f16 scale.
  uint16_t scale = 0;
  for (int64_t word = 0; word < 4; ++word) {
    const uint16_t bits = load<uint16_t>(block + 48 + 2 * word);
    scale = static_cast<uint16_t>(scale | (bits >> 12) << (4 * word));
    for (int64_t i = 0; i < 4; ++i) {
      out.sub_scales[4 * word + i] = static_cast<int8_t>((bits >> (3 * i) & 7) * 2 + 1);
    }
  }
  *out.super_scales = f32_from_f16(scale) * 0.125f;
  for (int64_t i = 0; i < 32; ++i) {
    const int high = block[32 + i / 2] >> (i % 2 * 4) & 15;
    put_ternary_point(kIq1SCodebook[block[i] | (high & 7) << 8], high >> 3, out.codes + 8 * i);
  }
}

void unpack_iq4_xs(const uint8_t* block, const BlockGroups& out) {
  *out.super_scales = load_f16(block);
  const uint16_t high_bits = load<uint16_t>(block + 2);
  for (int64_t group = 0; group < 8; ++group) {
    const int low = block[4 + group / 2] >> (group % 2 * 4) & 15;
    const int high = high_bits >> (2 * group) & 3;
    out.sub_scales[group] = static_cast<int8_t>((low | high << 4) - 32);
    const uint8_t* packed = block + 8 + 16 * group;
    for (int64_t i = 0; i < 16; ++i) {
      out.codes[32 * group + i] = packed[i] & 15;
      out.codes[32 * group + i + 16] = packed[i] >> 4;
    }
  }
}

}  // namespace anybit::numeric::ggml
