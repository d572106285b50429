// 32-bit float arithmetic that gives the same bits on every machine: in the interpreter, the
// emulated device and the GPU, whose device header includes this very text. The basic operations
// are correctly rounded (IEEE 754, nearest even, subnormals kept); the elementary functions are
// built from these alone, with our own polynomials.
// Every NaN result is the canonical NaN 0x7fffffff, whatever NaN went in (neg and abs keep bits).
// Largest errors over all floats, in units in the last place of the result's binade, kept by
// exact_math_test.cc: exp2, exp, log2, log 1; sin, cos, tanh, erf 2; rsqrt 2.
#pragma once

#if defined(__CUDACC__)
#define ANYBIT_EXACT static __device__ __forceinline__
#define ANYBIT_EXACT_TABLE static __device__ const
#else
#include <cmath>
#include <cstdint>
#include <cstring>
#define ANYBIT_EXACT inline
#define ANYBIT_EXACT_TABLE inline constexpr
#endif

namespace anybit::vm::exact {

#if defined(__CUDACC__)
ANYBIT_EXACT unsigned float_bits(float x) { return __float_as_uint(x); }
ANYBIT_EXACT float bits_float(unsigned w) { return __uint_as_float(w); }
ANYBIT_EXACT float add(float a, float b) { return __fadd_rn(a, b); }
ANYBIT_EXACT float sub(float a, float b) { return __fsub_rn(a, b); }
ANYBIT_EXACT float mul(float a, float b) { return __fmul_rn(a, b); }
ANYBIT_EXACT float fma(float a, float b, float c) { return __fmaf_rn(a, b, c); }
ANYBIT_EXACT float div(float a, float b) { return __fdiv_rn(a, b); }
ANYBIT_EXACT float sqrt(float x) { return __fsqrt_rn(x); }
#define ANYBIT_EXACT_ASM_1(NAME, TEXT)       \
  ANYBIT_EXACT float NAME(float a) {         \
    float d;                                 \
    asm(TEXT " %0, %1;" : "=f"(d) : "f"(a)); \
    return d;                                \
  }
#define ANYBIT_EXACT_ASM_2(NAME, TEXT)                   \
  ANYBIT_EXACT float NAME(float a, float b) {            \
    float d;                                             \
    asm(TEXT " %0, %1, %2;" : "=f"(d) : "f"(a), "f"(b)); \
    return d;                                            \
  }
ANYBIT_EXACT_ASM_1(floor, "cvt.rmi.f32.f32")
ANYBIT_EXACT_ASM_1(ceil, "cvt.rpi.f32.f32")
ANYBIT_EXACT_ASM_1(trunc, "cvt.rzi.f32.f32")
ANYBIT_EXACT_ASM_1(rint, "cvt.rni.f32.f32")
ANYBIT_EXACT_ASM_2(min, "min.f32")
ANYBIT_EXACT_ASM_2(max, "max.f32")
ANYBIT_EXACT_ASM_2(min_nan, "min.NaN.f32")
ANYBIT_EXACT_ASM_2(max_nan, "max.NaN.f32")
#undef ANYBIT_EXACT_ASM_1
#undef ANYBIT_EXACT_ASM_2
ANYBIT_EXACT int f32_to_i32_rz(float x) { return __float2int_rz(x); }
ANYBIT_EXACT int f32_to_i32_rn(float x) { return __float2int_rn(x); }
ANYBIT_EXACT unsigned f32_to_u32_rz(float x) { return __float2uint_rz(x); }
ANYBIT_EXACT unsigned f32_to_u32_rn(float x) { return __float2uint_rn(x); }
ANYBIT_EXACT long long f32_to_i64_rz(float x) { return x != x ? 0 : __float2ll_rz(x); }
ANYBIT_EXACT long long f32_to_i64_rn(float x) { return x != x ? 0 : __float2ll_rn(x); }
ANYBIT_EXACT float i32_to_f32(int x) { return __int2float_rn(x); }
ANYBIT_EXACT float u32_to_f32(unsigned x) { return __uint2float_rn(x); }
ANYBIT_EXACT float i64_to_f32(long long x) { return __ll2float_rn(x); }
#else
/// The bits of a float, and back.
inline unsigned float_bits(float x) {
  unsigned w;
  std::memcpy(&w, &x, 4);
  return w;
}
inline float bits_float(unsigned w) {
  float x;
  std::memcpy(&x, &w, 4);
  return x;
}
/// x, or the canonical NaN.
inline float canonical(float x) { return x == x ? x : bits_float(0x7fffffff); }

/// a + b, a - b, a * b, a * b + c in one rounding, a / b, the square root: to nearest even.
inline float add(float a, float b) { return canonical(a + b); }
inline float sub(float a, float b) { return canonical(a - b); }
inline float mul(float a, float b) { return canonical(a * b); }
inline float fma(float a, float b, float c) { return canonical(std::fma(a, b, c)); }
inline float div(float a, float b) { return canonical(a / b); }
inline float sqrt(float x) { return canonical(std::sqrt(x)); }
/// The nearest integer below, above, toward zero, nearest (ties to even); -0 keeps its sign.
inline float floor(float x) { return canonical(std::floor(x)); }
inline float ceil(float x) { return canonical(std::ceil(x)); }
inline float trunc(float x) { return canonical(std::trunc(x)); }
inline float rint(float x) { return canonical(std::nearbyint(x)); }
/// The lesser and the greater, -0 < +0; NaN if either is.
inline float min_nan(float a, float b) {
  if (a != a || b != b) return bits_float(0x7fffffff);
  return a == b ? bits_float(float_bits(a) | float_bits(b)) : a < b ? a : b;
}
inline float max_nan(float a, float b) {
  if (a != a || b != b) return bits_float(0x7fffffff);
  return a == b ? bits_float(float_bits(a) & float_bits(b)) : a < b ? b : a;
}
/// The lesser and the greater, -0 < +0; of a number and NaN, the number.
inline float min(float a, float b) { return a != a ? canonical(b) : b != b ? a : min_nan(a, b); }
inline float max(float a, float b) { return a != a ? canonical(b) : b != b ? a : max_nan(a, b); }
/// The integer toward zero (_rz) or nearest, ties to even (_rn); saturates, 0 of NaN.
inline int f32_to_i32_rz(float x) {
  if (x != x) return 0;
  return x >= 0x1p31f ? INT32_MAX : x < -0x1p31f ? INT32_MIN : static_cast<int>(x);
}
inline unsigned f32_to_u32_rz(float x) {
  if (!(x > 0)) return 0;
  return x >= 0x1p32f ? UINT32_MAX : static_cast<unsigned>(x);
}
inline long long f32_to_i64_rz(float x) {
  if (x != x) return 0;
  return x >= 0x1p63f ? INT64_MAX : x < -0x1p63f ? INT64_MIN : static_cast<long long>(x);
}
inline int f32_to_i32_rn(float x) { return f32_to_i32_rz(rint(x)); }
inline unsigned f32_to_u32_rn(float x) { return f32_to_u32_rz(rint(x)); }
inline long long f32_to_i64_rn(float x) { return f32_to_i64_rz(rint(x)); }
/// The float nearest to the integer, ties to even.
inline float i32_to_f32(int x) { return static_cast<float>(x); }
inline float u32_to_f32(unsigned x) { return static_cast<float>(x); }
inline float i64_to_f32(long long x) { return static_cast<float>(x); }
#endif

/// The sign bit flipped, or cleared, of NaN too.
ANYBIT_EXACT float neg(float x) { return bits_float(float_bits(x) ^ 0x80000000u); }
ANYBIT_EXACT float abs(float x) { return bits_float(float_bits(x) & 0x7fffffffu); }

ANYBIT_EXACT bool is_nan(float x) { return (float_bits(x) & 0x7fffffffu) > 0x7f800000u; }
ANYBIT_EXACT float nan() { return bits_float(0x7fffffffu); }
ANYBIT_EXACT float infinity() { return bits_float(0x7f800000u); }

/// x rounded to tf32 (10 mantissa bits), nearest, ties away from zero, as cvt.rna; the dropped bits
/// are 0. NaN becomes 0x7fffe000.
ANYBIT_EXACT float f32_to_tf32(float x) {
  if (is_nan(x)) return bits_float(0x7fffe000u);
  return bits_float((float_bits(x) + 0x1000u) & 0xffffe000u);
}

/// 1 / sqrt(x), two roundings: -0 gives -infinity, negative numbers NaN.
ANYBIT_EXACT float rsqrt(float x) { return div(1.0f, sqrt(x)); }

/// x rounded to an integer that stands, as a number, in `n` and, modulo 2^9, in the bits of the
/// result. No branch and no conversion, which GPUs run at a fraction of the speed of an addition.
/// Pre: |x| < 2^22 or NaN.
ANYBIT_EXACT unsigned round_with_bits(float x, float& n) {
  const float shifted = add(x, 0x1.8p23f);
  n = sub(shifted, 0x1.8p23f);
  return float_bits(shifted);
}

/// x * 2^n in one rounding; NaN of NaN. Pre: x in [1/2, 2), n in [-150, 128], given by its bits
/// under the exponent of round_with_bits().
ANYBIT_EXACT float scale_by_power(float x, unsigned n_bits) {
  const unsigned half = n_bits >> 1;  // What stands above n leaves in the shifts by 23.
  const float first = bits_float((half << 23) + 0x3f800000u);
  const float second = bits_float(((n_bits - half) << 23) + 0x3f800000u);
  return mul(mul(x, first), second);
}

/// 2^x: infinity from 128 on, 0 below -150.
ANYBIT_EXACT float exp2(float x) {
  const float bounded = max_nan(min_nan(x, 128.0f), -150.0f);
  float n;
  const unsigned n_bits = round_with_bits(bounded, n);
  const float r = sub(bounded, n);
  float p = 0x1.417a5cp-13f;
  p = fma(p, r, 0x1.5f0946p-10f);
  p = fma(p, r, 0x1.3b2dd2p-7f);
  p = fma(p, r, 0x1.c6af7ap-5f);
  p = fma(p, r, 0x1.ebfbdcp-3f);
  p = fma(p, r, 0x1.62e430p-1f);
  return scale_by_power(fma(p, r, 1.0f), n_bits);
}

/// e^x: infinity above 88.75, 0 below -104.
ANYBIT_EXACT float exp(float x) {
  const float bounded = max_nan(min_nan(x, 88.75f), -104.0f);
  float n;
  const unsigned n_bits = round_with_bits(mul(bounded, 0x1.715476p+0f), n);
  const float r = fma(n, -0x1.7f7d1cp-20f, fma(n, -0x1.62e4p-1f, bounded));
  float p = 0x1.6a4f8cp-10f;
  p = fma(p, r, 0x1.123988p-7f);
  p = fma(p, r, 0x1.5558aep-5f);
  p = fma(p, r, 0x1.555492p-3f);
  p = fma(p, r, 0x1.fffffcp-2f);
  return scale_by_power(add(fma(p, mul(r, r), r), 1.0f), n_bits);
}

/// x = (1 + f) * 2^e with 1 + f in [sqrt(1/2), sqrt(2)). Pre: x is positive and finite.
ANYBIT_EXACT void split_power(float x, float& f, float& e) {
  int exponent = 0;
  if (x < 0x1p-126f) {
    x = mul(x, 0x1p23f);
    exponent = -23;
  }
  const int above = static_cast<int>(float_bits(x)) - 0x3f3504f3;
  exponent += above >> 23;
  f = sub(bits_float(static_cast<unsigned>((above & 0x7fffff) + 0x3f3504f3)), 1.0f);
  e = i32_to_f32(exponent);
}

/// The base-2 logarithm: -infinity of 0, NaN of negative numbers.
ANYBIT_EXACT float log2(float x) {
  if (is_nan(x) || x < 0.0f) return nan();
  if (x == 0.0f) return neg(infinity());
  if (x == infinity()) return x;
  float f, e;
  split_power(x, f, e);
  float p = -0x1.c67a34p-4f;
  p = fma(p, f, 0x1.7fd008p-3f);
  p = fma(p, f, -0x1.87c55ep-3f);
  p = fma(p, f, 0x1.a2af96p-3f);
  p = fma(p, f, -0x1.eaa42cp-3f);
  p = fma(p, f, 0x1.277fe0p-2f);
  p = fma(p, f, -0x1.715afcp-2f);
  p = fma(p, f, 0x1.ec7092p-2f);
  p = fma(p, f, -0x1.715470p-1f);
  const float tail = fma(f, 0x1.4ae0c0p-26f, mul(p, mul(f, f)));
  return add(e, fma(f, 0x1.715476p+0f, tail));
}

/// The natural logarithm: -infinity of 0, NaN of negative numbers.
ANYBIT_EXACT float log(float x) {
  if (is_nan(x) || x < 0.0f) return nan();
  if (x == 0.0f) return neg(infinity());
  if (x == infinity()) return x;
  float f, e;
  split_power(x, f, e);
  float p = -0x1.38c2a6p-4f;
  p = fma(p, f, 0x1.055ce8p-3f);
  p = fma(p, f, -0x1.0d82a4p-3f);
  p = fma(p, f, 0x1.22d96ep-3f);
  p = fma(p, f, -0x1.547288p-3f);
  p = fma(p, f, 0x1.99a01ap-3f);
  p = fma(p, f, -0x1.000226p-2f);
  p = fma(p, f, 0x1.555554p-2f);
  p = fma(p, f, -0.5f);
  const float tail = fma(e, 0x1.7f7d1cp-20f, mul(p, mul(f, f)));
  return fma(e, 0x1.62e4p-1f, add(f, tail));
}

/// 32 zeros and the first 224 bits of 2 / pi.
ANYBIT_EXACT_TABLE unsigned kTwoOverPi[8] = {0,          0xa2f9836e, 0x4e441529, 0xfc2757d1,
                                             0xf534ddc0, 0xdb629599, 0x3c439041, 0xfe5163ab};

/// x = quadrant * pi / 2 + the result, in [-pi/4, pi/4]; quadrant modulo 4.
/// Pre: 65536 <= x, finite. Source: Payne and Hanek 1983.
ANYBIT_EXACT float reduce_large_angle(float x, unsigned& quadrant) {
  const unsigned bits = float_bits(x);
  const unsigned long long m = (bits & 0x7fffffu) | 0x800000u;
  // The bits of 2 / pi whose product with m * 2^(exponent) is below 4, from position `first` on.
  const unsigned first = (bits >> 23) - 150 - 2 + 32;
  const unsigned word = first >> 5, shift = first & 31;
  const unsigned long long w01 =
      static_cast<unsigned long long>(kTwoOverPi[word]) << 32 | kTwoOverPi[word + 1];
  const unsigned long long w12 = w01 << 32 | kTwoOverPi[word + 2];
  const unsigned long long w23 = w12 << 32 | kTwoOverPi[word + 3];
  const unsigned hi = static_cast<unsigned>((w01 << shift) >> 32);
  const unsigned mid = static_cast<unsigned>((w12 << shift) >> 32);
  const unsigned lo = static_cast<unsigned>((w23 << shift) >> 32);
  const unsigned long long product = m * mid + ((m * lo) >> 32) + ((m * hi) << 32);
  quadrant = static_cast<unsigned>(((product >> 61) + 1) >> 1) & 3;
  const long long fraction = static_cast<long long>(product << 2);  // In quadrants, times 2^64.
  const float upper = i64_to_f32(fraction >> 8);
  const float lower = i64_to_f32((fraction >> 8) - f32_to_i64_rz(upper));
  const float tail = fma(lower, 0x1.921fb6p-56f, mul(upper, -0x1.777a5cp-81f));
  return fma(upper, 0x1.921fb6p-56f, tail);
}

/// x = quadrant * pi / 2 + the result, about in [-pi/4, pi/4]. Pre: x >= 0, finite.
ANYBIT_EXACT float reduce_angle(float x, unsigned& quadrant) {
  if (x >= 65536.0f) return reduce_large_angle(x, quadrant);
  const float n = rint(mul(x, 0x1.45f306p-1f));
  quadrant = f32_to_u32_rz(n) & 3;
  float r = fma(n, -0x1.921fb4p+0f, x);
  r = fma(n, -0x1.4442d0p-24f, r);
  return fma(n, -0x1.846988p-48f, r);
}

/// The sine (quadrant 0), cosine (1), and their negatives (2, 3) of r in [-pi/4, pi/4].
ANYBIT_EXACT float sine_of_quadrant(float r, unsigned quadrant) {
  const float square = mul(r, r);
  float y;
  if (quadrant & 1) {
    float p = -0x1.3611a8p-22f;
    p = fma(p, square, 0x1.a071b0p-16f);
    p = fma(p, square, -0x1.6c175ep-10f);
    p = fma(p, square, 0x1.555556p-5f);
    y = fma(p, mul(square, square), fma(square, -0.5f, 1.0f));
  } else {
    float p = 0x1.7c300ap-19f;
    p = fma(p, square, -0x1.a0595ap-13f);
    p = fma(p, square, 0x1.111174p-7f);
    p = fma(p, square, -0x1.555556p-3f);
    y = fma(p, mul(square, r), r);
  }
  return quadrant & 2 ? neg(y) : y;
}

/// The sine and cosine of x radians; NaN of infinity.
ANYBIT_EXACT float sin(float x) {
  const float magnitude = abs(x);
  if (!(magnitude < infinity())) return nan();
  unsigned quadrant;
  const float r = reduce_angle(magnitude, quadrant);
  const float y = sine_of_quadrant(r, quadrant);
  return float_bits(x) >> 31 ? neg(y) : y;
}
ANYBIT_EXACT float cos(float x) {
  const float magnitude = abs(x);
  if (!(magnitude < infinity())) return nan();
  unsigned quadrant;
  const float r = reduce_angle(magnitude, quadrant);
  return sine_of_quadrant(r, quadrant + 1);
}

/// The hyperbolic tangent.
ANYBIT_EXACT float tanh(float x) {
  if (is_nan(x)) return nan();
  const float magnitude = abs(x);
  float y;
  if (magnitude < 0.65f) {
    const float square = mul(x, x);
    float p = 0x1.078ac0p-9f;
    p = fma(p, square, -0x1.071314p-7f);
    p = fma(p, square, 0x1.62873ep-6f);
    p = fma(p, square, -0x1.b9d632p-5f);
    p = fma(p, square, 0x1.110fe8p-3f);
    p = fma(p, square, -0x1.555552p-2f);
    y = fma(p, mul(square, magnitude), magnitude);
  } else {
    y = sub(1.0f, div(2.0f, add(exp(mul(magnitude, 2.0f)), 1.0f)));
  }
  return float_bits(x) >> 31 ? neg(y) : y;
}

/// The error function.
ANYBIT_EXACT float erf(float x) {
  if (is_nan(x)) return nan();
  const float magnitude = min(abs(x), 4.0f);
  float y;
  if (magnitude < 1.0f) {
    const float square = mul(x, x);
    float p = -0x1.2524d2p-19f;
    p = fma(p, square, 0x1.69d5c0p-14f);
    p = fma(p, square, -0x1.a99d78p-11f);
    p = fma(p, square, 0x1.54833ap-8f);
    p = fma(p, square, -0x1.b80450p-6f);
    p = fma(p, square, 0x1.ce2d74p-4f);
    p = fma(p, square, -0x1.812740p-2f);
    p = fma(p, square, 0x1.06eba8p-3f);
    y = fma(p, magnitude, magnitude);
  } else {
    float p = -0x1.6bf814p-16f;  // The logarithm of 1 - erf.
    p = fma(p, magnitude, 0x1.cee1acp-12f);
    p = fma(p, magnitude, -0x1.139694p-8f);
    p = fma(p, magnitude, 0x1.9d0a8ap-6f);
    p = fma(p, magnitude, -0x1.bc186ep-4f);
    p = fma(p, magnitude, -0x1.4434f8p-1f);
    p = fma(p, magnitude, -0x1.212c2cp+0f);
    p = fma(p, magnitude, 0x1.8b4028p-13f);
    y = sub(1.0f, exp(p));
  }
  return float_bits(x) >> 31 ? neg(y) : y;
}

}  // namespace anybit::vm::exact
