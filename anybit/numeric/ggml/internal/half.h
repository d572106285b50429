// f16, bf16, e8m0 and ue4m3 as ggml's blocks hold them, to and from f32; unaligned little-endian
// loads and stores.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>

namespace anybit::numeric::ggml {

static_assert(std::endian::native == std::endian::little, "GGUF blocks are little-endian");

template <class T>
T load(const uint8_t* bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof(T));
  return value;
}

template <class T>
void store(uint8_t* bytes, T value) {
  std::memcpy(bytes, &value, sizeof(T));
}

/// Exact. NaN keeps its payload.
inline float f32_from_f16(uint16_t code) {
  const uint32_t sign = uint32_t{code & 0x8000u} << 16;
  const uint32_t magnitude = uint32_t{code & 0x7fffu} << 13;
  if (magnitude >= 0x0f800000) return std::bit_cast<float>(sign | magnitude | 0x7f800000);
  // The exponent is rebased by a product, which makes subnormals right too: 2^112 = 2^(127 - 15).
  const float value = std::bit_cast<float>(magnitude) * 0x1p112f;
  return std::bit_cast<float>(sign | std::bit_cast<uint32_t>(value));
}

/// Nearest even. Overflow becomes infinity; NaN stays NaN.
inline uint16_t f16_from_f32(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const uint16_t sign = static_cast<uint16_t>(bits >> 16 & 0x8000);
  const uint32_t magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) {
    return static_cast<uint16_t>(sign | 0x7e00 | (magnitude >> 13 & 0x3ff));
  }
  if (magnitude >= 0x477ff000) return sign | 0x7c00;  // From 65520 on, infinity included.
  if (magnitude < 0x38800000) {
    // Below 2^-14: the sum has ulp 2^-24, f16's least step, so the addition rounds.
    const float sum = std::bit_cast<float>(magnitude) + 0.5f;
    return static_cast<uint16_t>(sign | (std::bit_cast<uint32_t>(sum) - 0x3f000000));
  }
  const uint32_t rounded = magnitude - 0x38000000 + 0xfff + (magnitude >> 13 & 1);
  return static_cast<uint16_t>(sign | rounded >> 13);
}

/// As f16_from_f32(), but overflow saturates: a scale must not become infinite.
inline uint16_t f16_scale_from_f32(float value) {
  const uint16_t code = f16_from_f32(value);
  return (code & 0x7fff) == 0x7c00 ? static_cast<uint16_t>(code - 1) : code;
}

inline float f32_from_bf16(uint16_t code) { return std::bit_cast<float>(uint32_t{code} << 16); }

/// Nearest even; NaN becomes quiet and keeps the rest of its upper half.
inline uint16_t bf16_from_f32(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  if ((bits & 0x7fffffff) > 0x7f800000) return static_cast<uint16_t>(bits >> 16 | 0x40);
  return static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

/// Half of the e8m0 scale 2^(code - 127): the FP4 values are kept doubled.
inline float half_of_e8m0(uint8_t code) {
  return std::bit_cast<float>(code < 2 ? 0x00200000u << code : uint32_t{code - 1u} << 23);
}

/// Half of the ue4m3 scale. As ggml has it, bit 7 is ignored, and 0 and 127 stand for 0.
inline float half_of_ue4m3(uint8_t code) {
  if (code == 0 || code == 0x7f) return 0;
  const int exponent = code >> 3 & 15;
  const int mantissa = code & 7;
  if (exponent == 0) return static_cast<float>(mantissa) * 0x1p-10f;
  return static_cast<float>(8 + mantissa) *
         std::bit_cast<float>(static_cast<uint32_t>(exponent - 11 + 127) << 23);
}

/// The ue4m3 code of a scale, nearest (ties up, as ggml has it), saturating at 448.
inline uint8_t ue4m3_from_f32(float value) {
  if (!(value > 0)) return 0;
  if (value >= 448) return 0x7e;
  if (value < 0x1p-6f)
    return static_cast<uint8_t>((value * 1024 + 1) / 2);  // 8 is the first normal.
  const uint32_t rounded = std::bit_cast<uint32_t>(value) + (1u << 19);
  const uint32_t code = (rounded >> 20) - ((127 - 7) << 3);
  return static_cast<uint8_t>(code > 0x7e ? 0x7e : code);
}

}  // namespace anybit::numeric::ggml
