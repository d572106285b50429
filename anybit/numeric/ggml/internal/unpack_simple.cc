// The types without sub-scales: Q1_0 ... Q8_K, ternary, FP4, IQ4_NL.
// Source of all layouts: ggml-common.h and ggml-quants.c of ggml.
#include <algorithm>

#include "anybit/numeric/ggml/internal/half.h"
#include "anybit/numeric/ggml/internal/unpack.h"

namespace anybit::numeric::ggml {
namespace {

float load_f16(const uint8_t* bytes) { return f32_from_f16(load<uint16_t>(bytes)); }

/// Low nibbles are the first half of the elements, high nibbles the second.
void split_nibbles(const uint8_t* packed, int num_bytes, uint8_t* codes) {
  for (int64_t i = 0; i < num_bytes; ++i) {
    codes[i] = packed[i] & 15;
    codes[i + num_bytes] = packed[i] >> 4;
  }
}

void add_fifth_bits(uint32_t bits, uint8_t* codes) {
  for (int64_t i = 0; i < 32; ++i) {
    codes[i] = static_cast<uint8_t>(codes[i] | (bits >> i & 1) << 4);
  }
}

/// Signed bytes as codes that start at 0.
void shift_bytes(const uint8_t* packed, int count, uint8_t* codes) {
  for (int64_t i = 0; i < count; ++i) codes[i] = packed[i] ^ 0x80;
}

/// `count` bytes of base-3 digits: a byte is floor(digits * 256 / 243) rounded up, so its product
/// with 3^n, taken modulo 256, holds digit n in its highest position.
uint8_t* unpack_trits(const uint8_t* packed, int count, int digits, uint8_t* codes) {
  uint8_t power = 1;
  for (int64_t digit = 0; digit < digits; ++digit, power = static_cast<uint8_t>(power * 3)) {
    for (int64_t i = 0; i < count; ++i) {
      *codes++ = static_cast<uint8_t>(static_cast<uint8_t>(packed[i] * power) * 3 >> 8);
    }
  }
  return codes;
}

}  // namespace

void unpack_q1_0(const uint8_t* block, const BlockGroups& out) {
  *out.super_scales = load_f16(block);
  for (int64_t i = 0; i < 128; ++i) out.codes[i] = block[2 + i / 8] >> (i % 8) & 1;
}

void unpack_q2_0(const uint8_t* block, const BlockGroups& out) {
  *out.super_scales = load_f16(block);
  for (int64_t i = 0; i < 64; ++i) out.codes[i] = block[2 + i / 4] >> (i % 4 * 2) & 3;
}

void unpack_q4_0(const uint8_t* block, const BlockGroups& out) {
  *out.super_scales = load_f16(block);
  split_nibbles(block + 2, 16, out.codes);
}

void unpack_iq4_nl(const uint8_t* block, const BlockGroups& out) { unpack_q4_0(block, out); }

void unpack_q4_1(const uint8_t* block, const BlockGroups& out) {
  *out.super_scales = load_f16(block);
  *out.super_mins = -load_f16(block + 2);
  *out.sub_mins = 1;
  split_nibbles(block + 4, 16, out.codes);
}

void unpack_q5_0(const uint8_t* block, const BlockGroups& out) {
  *out.super_scales = load_f16(block);
  split_nibbles(block + 6, 16, out.codes);
  add_fifth_bits(load<uint32_t>(block + 2), out.codes);
}

void unpack_q5_1(const uint8_t* block, const BlockGroups& out) {
  *out.super_scales = load_f16(block);
  *out.super_mins = -load_f16(block + 2);
  *out.sub_mins = 1;
  split_nibbles(block + 8, 16, out.codes);
  add_fifth_bits(load<uint32_t>(block + 4), out.codes);
}

void unpack_q8_0(const uint8_t* block, const BlockGroups& out) {
  *out.super_scales = load_f16(block);
  shift_bytes(block + 2, 32, out.codes);
}

/// Bytes 2 and 3 repeat what follows: scale times the sum of the codes.
void unpack_q8_1(const uint8_t* block, const BlockGroups& out) {
  *out.super_scales = load_f16(block);
  shift_bytes(block + 4, 32, out.codes);
}

/// The last 32 bytes repeat what precedes: the sums of 16 codes each.
void unpack_q8_k(const uint8_t* block, const BlockGroups& out) {
  *out.super_scales = load<float>(block);
  shift_bytes(block + 4, 256, out.codes);
}

void unpack_tq1_0(const uint8_t* block, const BlockGroups& out) {
  *out.super_scales = load_f16(block + 52);
  uint8_t* codes = unpack_trits(block, 32, 5, out.codes);
  codes = unpack_trits(block + 32, 16, 5, codes);
  unpack_trits(block + 48, 4, 4, codes);
}

void unpack_tq2_0(const uint8_t* block, const BlockGroups& out) {
  *out.super_scales = load_f16(block + 64);
  for (int64_t i = 0; i < 256; ++i) {
    out.codes[i] = block[i / 128 * 32 + i % 32] >> (i % 128 / 32 * 2) & 3;
  }
}

void unpack_mxfp4(const uint8_t* block, const BlockGroups& out) {
  *out.super_scales = half_of_e8m0(block[0]);
  split_nibbles(block + 1, 16, out.codes);
}

void unpack_nvfp4(const uint8_t* block, const BlockGroups& out) {
  for (int64_t group = 0; group < 4; ++group) {
    out.super_scales[group] = half_of_ue4m3(block[group]);
    split_nibbles(block + 4 + 8 * group, 8, out.codes + 16 * group);
  }
}

}  // namespace anybit::numeric::ggml
