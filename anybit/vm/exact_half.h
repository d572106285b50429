// 16-bit floats on the host, one at a time, with the bits a GPU gives: conversions and arithmetic
// rounded once to nearest even, subnormals kept, every NaN result the canonical 0x7fff.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

#include "anybit/vm/exact_math.h"

namespace anybit::vm::exact {

/// The code of x in the IEEE format of these field widths: nearest even, infinity on overflow.
/// Pre: x is not a subnormal double, or the format's least number is far above it.
template <int kExponentBits, int kMantissaBits>
inline unsigned round_to_ieee(double x) {
  constexpr int kSignShift = kExponentBits + kMantissaBits;
  constexpr unsigned kInfinity = ((1u << kExponentBits) - 1) << kMantissaBits;
  constexpr int kLeastExponent = 2 - (1 << (kExponentBits - 1));
  uint64_t bits;
  std::memcpy(&bits, &x, 8);
  const unsigned sign = static_cast<unsigned>(bits >> 63) << kSignShift;
  bits &= ~uint64_t{0} >> 1;
  if (x != x) return (1u << kSignShift) - 1;
  const int exponent = static_cast<int>(bits >> 52) - 1023;
  if (bits == 0 || exponent < kLeastExponent - kMantissaBits - 2) return sign;
  if (exponent > 1 << (kExponentBits - 1)) return sign | kInfinity;
  const uint64_t significand = (bits & ((uint64_t{1} << 52) - 1)) | uint64_t{1} << 52;
  const int below = exponent < kLeastExponent ? kLeastExponent - exponent : 0;
  const int dropped = 52 - kMantissaBits + below;
  const uint64_t rest = significand & ((uint64_t{1} << dropped) - 1);
  const uint64_t half = uint64_t{1} << (dropped - 1);
  uint64_t kept = significand >> dropped;
  kept += rest > half || (rest == half && (kept & 1));
  const int field = below > 0 ? 0 : exponent - kLeastExponent;
  const uint64_t code = (static_cast<uint64_t>(field) << kMantissaBits) + kept;
  return sign | (code < kInfinity ? static_cast<unsigned>(code) : kInfinity);
}

/// a * b + c rounded to odd: rounding it again to fewer than 52 bits is as rounding once.
/// Pre: a * b is exact.
inline double fma_to_odd(double a, double b, double c) {
  const double product = a * b, sum = product + c;
  if (!std::isfinite(sum)) return sum;
  const double from_c = sum - product;
  const double error = (product - (sum - from_c)) + (c - from_c);
  uint64_t bits;
  std::memcpy(&bits, &sum, 8);
  if (error == 0 || (bits & 1)) return sum;
  bits += (error > 0) == (sum > 0) ? 1 : ~uint64_t{0};
  double odd;
  std::memcpy(&odd, &bits, 8);
  return odd;
}

/// The nearest code, ties to even, infinity on overflow.
inline unsigned f32_to_f16(float x) { return round_to_ieee<5, 10>(x); }
inline unsigned f32_to_bf16(float x) { return round_to_ieee<8, 7>(x); }

/// The exact value; f16 makes every NaN 0x7fffffff, bf16 keeps its bits.
inline float f16_to_f32(unsigned code) {
  const unsigned exponent = code >> 10 & 31, mantissa = code & 1023, sign = (code & 0x8000) << 16;
  if (exponent == 31) {
    return mantissa != 0 ? nan() : bits_float(sign | 0x7f800000u);
  }
  if (exponent == 0) {
    const float magnitude = static_cast<float>(mantissa) * 0x1p-24f;
    return bits_float(sign | float_bits(magnitude));
  }
  return bits_float(sign | (exponent + 112) << 23 | mantissa << 13);
}
inline float bf16_to_f32(unsigned code) { return bits_float(code << 16); }

/// a * b + c, a + b, a - b, a * b, rounded once.
inline unsigned f16_fma(unsigned a, unsigned b, unsigned c) {
  return round_to_ieee<5, 10>(fma_to_odd(f16_to_f32(a), f16_to_f32(b), f16_to_f32(c)));
}
inline unsigned bf16_fma(unsigned a, unsigned b, unsigned c) {
  return round_to_ieee<8, 7>(fma_to_odd(bf16_to_f32(a), bf16_to_f32(b), bf16_to_f32(c)));
}
inline unsigned f16_add(unsigned a, unsigned b) { return f16_fma(a, 0x3c00, b); }
inline unsigned f16_sub(unsigned a, unsigned b) { return f16_fma(b, 0xbc00, a); }
inline unsigned f16_mul(unsigned a, unsigned b) { return f16_fma(a, b, 0x8000); }
inline unsigned bf16_add(unsigned a, unsigned b) { return bf16_fma(a, 0x3f80, b); }
inline unsigned bf16_sub(unsigned a, unsigned b) { return bf16_fma(b, 0xbf80, a); }
inline unsigned bf16_mul(unsigned a, unsigned b) { return bf16_fma(a, b, 0x8000); }

/// The lesser and the greater, -0 < +0; of a number and NaN, the number (_nan: NaN).
inline unsigned f16_min(unsigned a, unsigned b) {
  return f32_to_f16(min(f16_to_f32(a), f16_to_f32(b)));
}
inline unsigned f16_max(unsigned a, unsigned b) {
  return f32_to_f16(max(f16_to_f32(a), f16_to_f32(b)));
}
inline unsigned f16_min_nan(unsigned a, unsigned b) {
  return f32_to_f16(min_nan(f16_to_f32(a), f16_to_f32(b)));
}
inline unsigned f16_max_nan(unsigned a, unsigned b) {
  return f32_to_f16(max_nan(f16_to_f32(a), f16_to_f32(b)));
}
inline unsigned bf16_min(unsigned a, unsigned b) {
  return f32_to_bf16(min(bf16_to_f32(a), bf16_to_f32(b)));
}
inline unsigned bf16_max(unsigned a, unsigned b) {
  return f32_to_bf16(max(bf16_to_f32(a), bf16_to_f32(b)));
}
inline unsigned bf16_min_nan(unsigned a, unsigned b) {
  return f32_to_bf16(min_nan(bf16_to_f32(a), bf16_to_f32(b)));
}
inline unsigned bf16_max_nan(unsigned a, unsigned b) {
  return f32_to_bf16(max_nan(bf16_to_f32(a), bf16_to_f32(b)));
}

}  // namespace anybit::vm::exact
