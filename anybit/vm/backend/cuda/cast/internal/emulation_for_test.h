// The device functions that casts call, in plain C++, for compiling their text in tests. Written
// apart from the device header, so that either checks the other's reading.
#pragma once

#include <string_view>

namespace anybit::vm::cuda::internal {

inline constexpr std::string_view kEmulationForTest = R"(
#include <cmath>
#include <cstring>
#define AB_FN static inline
#define AB_CONSTANT static const
namespace ab {
using u8 = unsigned char;
using u16 = unsigned short;
using u32 = unsigned int;
using i32 = int;
using u64 = unsigned long long;
AB_FN u32 float_bits(float x) { u32 b; std::memcpy(&b, &x, 4); return b; }
AB_FN float bits_float(u32 b) { float x; std::memcpy(&x, &b, 4); return x; }
template <int kLut> AB_FN u32 lop3(u32 a, u32 b, u32 c) {
  u32 d = 0;
  for (int i = 0; i < 8; ++i)
    if (kLut >> i & 1) d |= (i & 4 ? a : ~a) & (i & 2 ? b : ~b) & (i & 1 ? c : ~c);
  return d;
}
AB_FN u32 prmt(u32 a, u32 b, u32 s) {
  const u64 bytes = u64{b} << 32 | a;
  u32 d = 0;
  for (int i = 0; i < 4; ++i, s >>= 4) {
    u32 byte = bytes >> 8 * (s & 7) & 255;
    if (s & 8) byte = byte >> 7 ? 255 : 0;
    d |= byte << 8 * i;
  }
  return d;
}
AB_FN u32 funnel_right(u32 lo, u32 hi, u32 shift) {
  return static_cast<u32>((u64{hi} << 32 | lo) >> (shift & 31));
}
AB_FN float add(float a, float b) { return a + b; }
AB_FN float sub(float a, float b) { return a - b; }
AB_FN float mul(float a, float b) { return a * b; }
AB_FN float fma(float a, float b, float c) { return std::fma(a, b, c); }
AB_FN float abs(float a) { return std::fabs(a); }
AB_FN float min(float a, float b) { return a != a ? b : b != b ? a : a < b ? a : b; }
AB_FN float max(float a, float b) { return a != a ? b : b != b ? a : a < b ? b : a; }
AB_FN bool is_any_nan(float a, float b) { return std::isnan(a) || std::isnan(b); }
AB_FN u32 min_u32(u32 a, u32 b) { return a < b ? a : b; }
AB_FN u32 funnel_left(u32 lo, u32 hi, u32 shift) {
  return static_cast<u32>((u64{hi} << 32 | lo) << (shift & 31) >> 32);
}
AB_FN int f32_to_i32_rn(float x) {
  if (x != x) return 0;
  const double r = std::nearbyint(double{x});
  if (r >= 2147483647.0) return 2147483647;
  return r <= -2147483648.0 ? -2147483647 - 1 : static_cast<int>(r);
}
AB_FN u32 f32_to_u32_rn(float x) {
  if (!(x > 0)) return 0;
  const double r = std::nearbyint(double{x});
  return r >= 4294967295.0 ? ~0u : static_cast<u32>(r);
}
// IEEE halves by their definition: E exponent and M mantissa bits.
template <int E, int M> double from_half(u32 c) {
  const int field = c >> M & ((1 << E) - 1), bias = (1 << (E - 1)) - 1;
  const double fraction = c & ((1 << M) - 1), sign = c >> 15 & 1 ? -1.0 : 1.0;
  if (field == (1 << E) - 1) return fraction != 0 ? NAN : sign * INFINITY;
  if (field == 0) return sign * std::ldexp(fraction, 1 - bias - M);
  return sign * std::ldexp(fraction + (1 << M), field - bias - M);
}
template <int E, int M> u32 to_half(double x) {
  const int bias = (1 << (E - 1)) - 1;
  const u32 sign = std::signbit(x) ? 0x8000 : 0, infinity = ((1u << E) - 1) << M;
  if (x != x) return 0x7fff;
  x = std::fabs(x);
  if (x == 0) return sign;
  if (x >= std::ldexp(2.0, bias)) return sign | infinity;
  int e = std::ilogb(x);
  if (e < 1 - bias) e = 1 - bias;
  const double m = std::nearbyint(std::ldexp(x, M - e));
  return sign | (static_cast<u32>(m) + (static_cast<u32>(e - 1 + bias) << M));
}
#define PAIRS(T, E, M)                                                                        \
  template <class F> u32 T##_each(u32 a, u32 b, u32 c, F f) {                                 \
    u32 d = 0;                                                                                \
    for (int i = 0; i < 32; i += 16)                                                          \
      d |= to_half<E, M>(f(from_half<E, M>(a >> i), from_half<E, M>(b >> i),                  \
                           from_half<E, M>(c >> i))) << i;                                    \
    return d;                                                                                 \
  }                                                                                           \
  AB_FN u32 T##_add(u32 a, u32 b) {                                                           \
    return T##_each(a, b, 0, [](double x, double y, double) { return x + y; });               \
  }                                                                                           \
  AB_FN u32 T##_sub(u32 a, u32 b) {                                                           \
    return T##_each(a, b, 0, [](double x, double y, double) { return x - y; });               \
  }                                                                                           \
  AB_FN u32 T##_mul(u32 a, u32 b) {                                                           \
    return T##_each(a, b, 0, [](double x, double y, double) { return x * y; });               \
  }                                                                                           \
  AB_FN u32 T##_fma(u32 a, u32 b, u32 c) {                                                    \
    return T##_each(a, b, c, [](double x, double y, double z) { return std::fma(x, y, z); }); \
  }                                                                                           \
  AB_FN u32 T##_min_nan(u32 a, u32 b) {                                                       \
    return T##_each(a, b, 0, [](double x, double y, double) {                                 \
      return x != x ? x : y != y ? y : x < y ? x : y; });                                     \
  }                                                                                           \
  AB_FN u32 T##_max_nan(u32 a, u32 b) {                                                       \
    return T##_each(a, b, 0, [](double x, double y, double) {                                 \
      return x != x ? x : y != y ? y : x < y ? y : x; });                                     \
  }
PAIRS(f16x2, 5, 10)
PAIRS(bf16x2, 8, 7)
AB_FN float f16_lo_to_f32(u32 w) { return static_cast<float>(from_half<5, 10>(w & 0xffff)); }
AB_FN float f16_hi_to_f32(u32 w) { return static_cast<float>(from_half<5, 10>(w >> 16)); }
AB_FN float bf16_lo_to_f32(u32 w) { return bits_float(w << 16); }
AB_FN float bf16_hi_to_f32(u32 w) { return bits_float(w & 0xffff0000); }
AB_FN u32 f32_to_f16x2(float lo, float hi) { return to_half<5, 10>(lo) | to_half<5, 10>(hi) << 16; }
AB_FN u32 f32_to_bf16x2(float lo, float hi) { return to_half<8, 7>(lo) | to_half<8, 7>(hi) << 16; }
// 8-bit floats: e5m2 is f16's upper byte; e4m3 by its definition.
AB_FN u32 e5m2x2_to_f16x2(u32 codes) { return (codes & 0xff) << 8 | (codes >> 8 & 0xff) << 24; }
AB_FN double from_e4m3(u32 c) {
  const int field = c >> 3 & 15, fraction = c & 7;
  const double magnitude = (c & 127) == 127 ? NAN
                           : field == 0 ? std::ldexp(fraction, -9)
                                        : std::ldexp(8 + fraction, field - 10);
  return c >> 7 & 1 ? -magnitude : magnitude;
}
AB_FN u32 e4m3x2_to_f16x2(u32 codes) {
  return to_half<5, 10>(from_e4m3(codes)) | to_half<5, 10>(from_e4m3(codes >> 8)) << 16;
}
AB_FN u32 to_fp8(double x, int mantissa, int least, double largest) {
  if (x != x) return 0x7f;
  const u32 sign = std::signbit(x) ? 0x80 : 0;
  x = std::fmin(std::fabs(x), largest);
  if (x == 0) return sign;
  int e = std::ilogb(x);
  if (e < least) e = least;
  const double m = std::nearbyint(std::ldexp(x, mantissa - e));
  return sign | (static_cast<u32>(m) + (static_cast<u32>(e - least) << mantissa));
}
AB_FN u32 f32_to_e4m3x2(float lo, float hi) {
  return to_fp8(lo, 3, -6, 448) | to_fp8(hi, 3, -6, 448) << 8;
}
AB_FN u32 f32_to_e5m2x2(float lo, float hi) {
  return to_fp8(lo, 2, -14, 57344) | to_fp8(hi, 2, -14, 57344) << 8;
}
}  // namespace ab
)";

}  // namespace anybit::vm::cuda::internal
