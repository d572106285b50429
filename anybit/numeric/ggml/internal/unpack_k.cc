// The k-quants: super-blocks of 256 with integer sub-scales.
// Source of all layouts: ggml-common.h and ggml-quants.c of ggml.
#include "anybit/numeric/ggml/internal/half.h"
#include "anybit/numeric/ggml/internal/unpack.h"

namespace anybit::numeric::ggml {
namespace {

float load_f16(const uint8_t* bytes) { return f32_from_f16(load<uint16_t>(bytes)); }

/// Two-bit fields: each 32 bytes hold 128 elements, 32 a shift.
void split_crumbs(const uint8_t* packed, uint8_t* codes) {
  for (int64_t half = 0; half < 2; ++half, packed += 32) {
    for (int64_t shift = 0; shift < 8; shift += 2) {
      for (int64_t i = 0; i < 32; ++i) *codes++ = packed[i] >> shift & 3;
    }
  }
}

/// Four-bit fields: each 32 bytes hold 64 elements, the low nibbles first.
void split_nibbles_by_64(const uint8_t* packed, uint8_t* codes) {
  for (int64_t quarter = 0; quarter < 4; ++quarter, packed += 32, codes += 64) {
    for (int64_t i = 0; i < 32; ++i) {
      codes[i] = packed[i] & 15;
      codes[i + 32] = packed[i] >> 4;
    }
  }
}

}  // namespace

void unpack_six_bit_pairs(const uint8_t* packed, int8_t* scales, uint8_t* mins) {
  for (int64_t i = 0; i < 4; ++i) {
    const uint8_t scale_byte = packed[i], min_byte = packed[i + 4], low_bits = packed[i + 8];
    scales[i] = static_cast<int8_t>(scale_byte & 63);
    mins[i] = min_byte & 63;
    scales[i + 4] = static_cast<int8_t>((low_bits & 15) | scale_byte >> 6 << 4);
    mins[i + 4] = static_cast<uint8_t>(low_bits >> 4 | min_byte >> 6 << 4);
  }
}

void unpack_q2_k(const uint8_t* block, const BlockGroups& out) {
  *out.super_scales = load_f16(block + 80);
  *out.super_mins = load_f16(block + 82);
  for (int64_t group = 0; group < 16; ++group) {
    out.sub_scales[group] = static_cast<int8_t>(block[group] & 15);
    out.sub_mins[group] = block[group] >> 4;
  }
  split_crumbs(block + 16, out.codes);
}

void unpack_q3_k(const uint8_t* block, const BlockGroups& out) {
  *out.super_scales = load_f16(block + 108);
  const uint8_t* scales = block + 96;  // 8 bytes of low nibbles, 4 of two high bits.
  for (int64_t group = 0; group < 16; ++group) {
    const int low = scales[group % 8] >> (group / 8 * 4) & 15;
    const int high = scales[8 + group % 4] >> (group / 4 * 2) & 3;
    out.sub_scales[group] = static_cast<int8_t>((low | high << 4) - 32);
  }
  split_crumbs(block + 32, out.codes);
  for (int64_t i = 0; i < 256; ++i) {
    out.codes[i] = static_cast<uint8_t>(out.codes[i] | (block[i % 32] >> (i / 32) & 1) << 2);
  }
}

void unpack_q4_k(const uint8_t* block, const BlockGroups& out) {
  *out.super_scales = load_f16(block);
  *out.super_mins = load_f16(block + 2);
  unpack_six_bit_pairs(block + 4, out.sub_scales, out.sub_mins);
  split_nibbles_by_64(block + 16, out.codes);
}

void unpack_q5_k(const uint8_t* block, const BlockGroups& out) {
  *out.super_scales = load_f16(block);
  *out.super_mins = load_f16(block + 2);
  unpack_six_bit_pairs(block + 4, out.sub_scales, out.sub_mins);
  split_nibbles_by_64(block + 48, out.codes);
  for (int64_t i = 0; i < 256; ++i) {
    out.codes[i] = static_cast<uint8_t>(out.codes[i] | (block[16 + i % 32] >> (i / 32) & 1) << 4);
  }
}

void unpack_q6_k(const uint8_t* block, const BlockGroups& out) {
  *out.super_scales = load_f16(block + 208);
  for (int64_t group = 0; group < 16; ++group) {
    out.sub_scales[group] = static_cast<int8_t>(block[192 + group]);
  }
  uint8_t high_bits[256];
  split_crumbs(block + 128, high_bits);
  for (int64_t i = 0; i < 256; ++i) {
    const uint8_t low = block[i / 128 * 64 + i % 64] >> (i % 128 / 64 * 4) & 15;
    out.codes[i] = static_cast<uint8_t>(low | high_bits[i] << 4);
  }
}

}  // namespace anybit::numeric::ggml
