#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "anybit/base/integer.h"
#include "anybit/kernel/kv_cache/internal/kv_rows.h"

namespace anybit::kernel::internal {
namespace {

constexpr Variant<DecodeRows> kDecodeVariants[] = {
    {"avx512", needs_avx512, decode_rows_avx512},
    {"avx2", needs_avx2, decode_rows_avx2},
    {"reference", needs_nothing, decode_rows_reference},
};

constexpr Variant<EncodeF16> kEncodeVariants[] = {
    {"avx512", needs_avx512, encode_f16_avx512},
    {"avx2", needs_avx2, encode_f16_avx2},
    {"reference", needs_nothing, encode_f16_reference},
};

template <class T>
T read(const std::byte* bytes, int64_t index) {
  T value;
  std::memcpy(&value, bytes + index * sizeof(T), sizeof(T));
  return value;
}

template <class T>
void write(std::byte* bytes, int64_t index, T value) {
  std::memcpy(bytes + index * sizeof(T), &value, sizeof(T));
}

uint16_t bf16_from_float(float x) {
  const auto bits = std::bit_cast<uint32_t>(x);
  if (std::isnan(x)) return static_cast<uint16_t>(bits >> 16 | 0x40);
  return static_cast<uint16_t>((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

/// The nearest integer, ties to even, of |x| < 2^22.
float nearest_integer(float x) {
  constexpr float kShift = 0x1.8p23f;
  return (x + kShift) - kShift;
}

struct Range {
  float lowest = 0;
  float highest = 0;
  bool is_finite = true;
};

/// Lowest and highest of 0 and the elements.
Range range_of(const float* x, int64_t count) {
  Range range;
  float poison = 0;
  for (int64_t i = 0; i < count; ++i) {
    range.lowest = std::min(range.lowest, x[i]);
    range.highest = std::max(range.highest, x[i]);
    poison += x[i] - x[i];
  }
  range.is_finite = poison == 0;
  return range;
}

void encode_int8(const float* x, int64_t head_dim, std::byte* codes, std::byte* scales) {
  constexpr float kMaxCode = 127;
  constexpr float kLeastScale = 0x1p-126f;  // Its reciprocal is finite; below it a row is zeros.
  const Range range = range_of(x, head_dim);
  const float scale = std::max(-range.lowest, range.highest) / kMaxCode;
  const bool is_zero = scale < kLeastScale || !range.is_finite;
  const float inv_scale = is_zero ? 0 : 1 / scale;
  for (int64_t i = 0; i < head_dim; ++i) {
    const float code = is_zero ? 0 : nearest_integer(x[i] * inv_scale);
    write(codes, i, static_cast<int8_t>(std::clamp(code, -kMaxCode, kMaxCode)));
  }
  write(scales, 0, range.is_finite ? (is_zero ? 0.0f : scale) : std::nanf(""));
}

void encode_int4_group(const float* x, int64_t count, std::byte* codes, std::byte* scale_bits) {
  constexpr float kMaxF16 = 65504;
  const Range range = range_of(x, count);
  const float extreme = -range.lowest >= range.highest ? range.lowest : range.highest;
  const float wanted =
      range.is_finite ? std::clamp(extreme / -8, -kMaxF16, kMaxF16) : std::nanf("");
  const uint16_t bits = f16_from_float(wanted);
  const float scale = float_from_f16(bits);
  const float inv_scale = scale == 0 || !range.is_finite ? 0 : 1 / scale;
  for (int64_t i = 0; i < count; i += 2) {
    uint32_t pair = 0;
    for (int64_t j = i; j < std::min(i + 2, count); ++j) {
      const float scaled = range.is_finite ? std::clamp(x[j] * inv_scale, -8.0f, 7.0f) : 0;
      const auto code = static_cast<uint32_t>(static_cast<int32_t>(nearest_integer(scaled)));
      pair |= (code & 0xF) << 4 * (j - i);
    }
    write(codes, i / 2, static_cast<uint8_t>(pair));
  }
  write(scale_bits, 0, bits);
}

float decode_element(const KvRows& rows, int64_t row, int64_t i) {
  const std::byte* codes = rows.codes + row * rows.row_bytes;
  const std::byte* scales = rows.scales + row * rows.scale_row_bytes;
  switch (rows.element) {
    case KvElement::kF32: return read<float>(codes, i);
    case KvElement::kF16: return float_from_f16(read<uint16_t>(codes, i));
    case KvElement::kBf16:
      return std::bit_cast<float>(static_cast<uint32_t>(read<uint16_t>(codes, i)) << 16);
    case KvElement::kInt8:
      return static_cast<float>(read<int8_t>(codes, i)) * read<float>(scales, 0);
    case KvElement::kInt4: {
      const int nibble = read<uint8_t>(codes, i / 2) >> 4 * (i % 2) & 0xF;
      const float scale = float_from_f16(read<uint16_t>(scales, i / kKvGroupSize));
      return static_cast<float>(nibble < 8 ? nibble : nibble - 16) * scale;
    }
  }
  return 0;
}

}  // namespace

uint16_t f16_from_float(float x) {
  const auto bits = std::bit_cast<uint32_t>(x);
  const uint32_t sign = bits >> 16 & 0x8000;
  const uint32_t magnitude = bits & 0x7FFFFFFF;
  if (magnitude > 0x7F800000) {
    return static_cast<uint16_t>(sign | 0x7E00 | (magnitude >> 13 & 0x1FF));
  }
  constexpr uint32_t kOverflow = 0x477FF000;  // 65520, halfway from 65504 to the next step.
  if (magnitude >= kOverflow) return static_cast<uint16_t>(sign | 0x7C00);
  constexpr uint32_t kLeastNormal = 0x38800000;  // 2^-14
  if (magnitude < kLeastNormal) {
    // Adding 2^-1 puts the grid of f16's subnormals, 2^-24, at the last place of f32.
    const float shifted = std::bit_cast<float>(magnitude) + 0.5f;
    return static_cast<uint16_t>(sign | (std::bit_cast<uint32_t>(shifted) - 0x3F000000));
  }
  const uint32_t rebiased = magnitude - (uint32_t{127 - 15} << 23);
  return static_cast<uint16_t>(sign | (rebiased + 0xFFF + (rebiased >> 13 & 1)) >> 13);
}

float float_from_f16(uint16_t bits) {
  const uint32_t sign = static_cast<uint32_t>(bits & 0x8000) << 16;
  const uint32_t magnitude = bits & 0x7FFF;
  if (magnitude >= 0x7C00) {
    const uint32_t quiet = magnitude > 0x7C00 ? 0x400000 : 0;
    return std::bit_cast<float>(sign | 0x7F800000 | quiet | (magnitude & 0x3FF) << 13);
  }
  const float scaled = std::bit_cast<float>(magnitude << 13) * 0x1p112f;
  return std::bit_cast<float>(sign | std::bit_cast<uint32_t>(scaled));
}

int64_t row_code_bytes(KvElement element, int64_t head_dim) {
  switch (element) {
    case KvElement::kF32: return 4 * head_dim;
    case KvElement::kF16:
    case KvElement::kBf16: return 2 * head_dim;
    case KvElement::kInt8: return head_dim;
    case KvElement::kInt4: return ceil_div(head_dim, 2);
  }
  return 0;
}

int64_t row_scale_bytes(KvElement element, int64_t head_dim) {
  if (element == KvElement::kInt8) return sizeof(float);
  if (element == KvElement::kInt4) return 2 * ceil_div(head_dim, kKvGroupSize);
  return 0;
}

KvRows rows_of(const KvPlane& plane, const KvLayerShape& shape, int64_t head, int64_t first) {
  const int64_t row = head * shape.capacity + first;
  return {.element = shape.element,
          .head_dim = shape.head_dim,
          .codes = plane.codes + row * plane.row_bytes,
          .scales = plane.scales + row * plane.scale_row_bytes,
          .row_bytes = plane.row_bytes,
          .scale_row_bytes = plane.scale_row_bytes};
}

void encode_row(KvElement element, const float* x, int64_t head_dim, std::byte* codes,
                std::byte* scales) {
  switch (element) {
    case KvElement::kF32: std::memcpy(codes, x, head_dim * sizeof(float)); return;
    case KvElement::kF16:
      best_variant(encode_f16_variants(), CpuFeatures::host())(x, head_dim, codes);
      return;
    case KvElement::kBf16:
      for (int64_t i = 0; i < head_dim; ++i) write(codes, i, bf16_from_float(x[i]));
      return;
    case KvElement::kInt8: encode_int8(x, head_dim, codes, scales); return;
    case KvElement::kInt4:
      for (int64_t i = 0; i < head_dim; i += kKvGroupSize) {
        encode_int4_group(x + i, std::min(kKvGroupSize, head_dim - i), codes + i / 2,
                          scales + 2 * (i / kKvGroupSize));
      }
      return;
  }
}

std::span<const Variant<DecodeRows>> decode_rows_variants() { return kDecodeVariants; }
std::span<const Variant<EncodeF16>> encode_f16_variants() { return kEncodeVariants; }

void decode_rows_reference(const KvRows& rows, int64_t count, int64_t out_stride, float* out) {
  for (int64_t row = 0; row < count; ++row) {
    for (int64_t i = 0; i < out_stride; ++i) {
      out[row * out_stride + i] = i < rows.head_dim ? decode_element(rows, row, i) : 0;
    }
  }
}

void encode_f16_reference(const float* x, int64_t count, std::byte* out) {
  for (int64_t i = 0; i < count; ++i) write(out, i, f16_from_float(x[i]));
}

}  // namespace anybit::kernel::internal
