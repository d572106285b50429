// FloatVector: a register of floats, as wide as the including file's instruction set has them, so
// that one text of an operation compiles for AVX2 and for AVX-512. Included only by *_avx2.cc and
// *_avx512.cc, through the operations' own *_vector.h headers; everything here is local to the
// including file, because the same name means other code in another file.
#pragma once

// GCC 12's own AVX-512 intrinsics start from a register that they leave undefined (GCC bug 105593).
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif
#include <immintrin.h>

#include <cstdint>
#include <limits>

namespace anybit::kernel {
namespace {

#if defined(__AVX512F__)

struct FloatVector {
  static constexpr int64_t kLanes = 16;
  __m512 v;

  static FloatVector all(float x) { return {_mm512_set1_ps(x)}; }
  static FloatVector load(const float* p) { return {_mm512_loadu_ps(p)}; }
  /// The first `count` < kLanes lanes; zero in the others.
  static FloatVector load_first(const float* p, int64_t count) {
    return {_mm512_maskz_loadu_ps(first(count), p)};
  }
  void store(float* p) const { _mm512_storeu_ps(p, v); }
  void store_first(float* p, int64_t count) const { _mm512_mask_storeu_ps(p, first(count), v); }
  /// This in the first `count` < kLanes lanes, `rest` in the others.
  FloatVector keep_first(int64_t count, FloatVector rest) const {
    return {_mm512_mask_blend_ps(first(count), rest.v, v)};
  }

  static FloatVector load_f16(const void* p) {
    return {_mm512_cvtph_ps(_mm256_loadu_si256(static_cast<const __m256i*>(p)))};
  }
  /// Nearest even.
  void store_f16(void* p) const {
    _mm256_storeu_si256(static_cast<__m256i*>(p), _mm512_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT));
  }
  static FloatVector load_bf16(const void* p) {
    const __m256i bits = _mm256_loadu_si256(static_cast<const __m256i*>(p));
    return {_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16))};
  }
  static FloatVector load_int8(const void* p) {
    const __m128i codes = _mm_loadu_si128(static_cast<const __m128i*>(p));
    return {_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(codes))};
  }
  /// kLanes two's complement nibbles, low nibble first.
  static FloatVector load_int4(const void* p) {
    const int* words = static_cast<const int*>(p);
    int low = 0, high = 0;
    __builtin_memcpy(&low, words, 4);
    __builtin_memcpy(&high, words + 1, 4);
    const __m512i both = _mm512_inserti64x4(_mm512_set1_epi32(low), _mm256_set1_epi32(high), 1);
    const __m512i shifts = _mm512_set_epi32(0, 4, 8, 12, 16, 20, 24, 28,  //
                                            0, 4, 8, 12, 16, 20, 24, 28);
    return {_mm512_cvtepi32_ps(_mm512_srai_epi32(_mm512_sllv_epi32(both, shifts), 28))};
  }

  FloatVector operator+(FloatVector o) const { return {_mm512_add_ps(v, o.v)}; }
  FloatVector operator-(FloatVector o) const { return {_mm512_sub_ps(v, o.v)}; }
  FloatVector operator*(FloatVector o) const { return {_mm512_mul_ps(v, o.v)}; }
  FloatVector operator/(FloatVector o) const { return {_mm512_div_ps(v, o.v)}; }

  /// Lanes of (lo, hi) pairs: even and odd elements of the 2 kLanes floats at p, and back.
  static void load_pairs(const float* p, FloatVector& even, FloatVector& odd) {
    const __m512 a = _mm512_loadu_ps(p), b = _mm512_loadu_ps(p + kLanes);
    const __m512i evens = _mm512_set_epi32(30, 28, 26, 24, 22, 20, 18, 16,  //
                                           14, 12, 10, 8, 6, 4, 2, 0);
    even.v = _mm512_permutex2var_ps(a, evens, b);
    odd.v = _mm512_permutex2var_ps(a, _mm512_add_epi32(evens, _mm512_set1_epi32(1)), b);
  }
  static void store_pairs(float* p, FloatVector even, FloatVector odd) {
    const __m512i low = _mm512_set_epi32(23, 7, 22, 6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
    const __m512i high = _mm512_add_epi32(low, _mm512_set1_epi32(8));
    _mm512_storeu_ps(p, _mm512_permutex2var_ps(even.v, low, odd.v));
    _mm512_storeu_ps(p + kLanes, _mm512_permutex2var_ps(even.v, high, odd.v));
  }

 private:
  static __mmask16 first(int64_t count) { return static_cast<__mmask16>((1u << count) - 1); }
};

/// a * b + c, rounded once.
inline FloatVector fma(FloatVector a, FloatVector b, FloatVector c) {
  return {_mm512_fmadd_ps(a.v, b.v, c.v)};
}
/// The larger lane by lane; b where either is NaN.
inline FloatVector max(FloatVector a, FloatVector b) { return {_mm512_max_ps(a.v, b.v)}; }
inline FloatVector min(FloatVector a, FloatVector b) { return {_mm512_min_ps(a.v, b.v)}; }
inline FloatVector absolute(FloatVector a) { return {_mm512_abs_ps(a.v)}; }
/// The magnitude of `a` with the sign of `s`.
inline FloatVector copy_sign(FloatVector a, FloatVector s) {
  const __m512i sign = _mm512_set1_epi32(INT32_MIN);
  return {_mm512_castsi512_ps(
      _mm512_ternarylogic_epi32(sign, _mm512_castps_si512(s.v), _mm512_castps_si512(a.v), 0xCA))};
}
/// a < b ? yes : no.
inline FloatVector select_less(FloatVector a, FloatVector b, FloatVector yes, FloatVector no) {
  return {_mm512_mask_blend_ps(_mm512_cmp_ps_mask(a.v, b.v, _CMP_LT_OQ), no.v, yes.v)};
}
inline FloatVector round_to_even(FloatVector a) {
  return {_mm512_roundscale_ps(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)};
}
/// a * 2^n for whole n in [-160, 160], rounded once.
inline FloatVector scale_by_power(FloatVector a, FloatVector n) {
  return {_mm512_scalef_ps(a.v, n.v)};
}
inline __m256 fold_to_256(FloatVector a) {
  return _mm256_add_ps(_mm512_castps512_ps256(a.v), _mm512_extractf32x8_ps(a.v, 1));
}
inline double sum_in_double(FloatVector a) {
  const __m512d low = _mm512_cvtps_pd(_mm512_castps512_ps256(a.v));
  const __m512d both = _mm512_add_pd(low, _mm512_cvtps_pd(_mm512_extractf32x8_ps(a.v, 1)));
  const __m256d four = _mm256_add_pd(_mm512_castpd512_pd256(both), _mm512_extractf64x4_pd(both, 1));
  const __m128d two = _mm_add_pd(_mm256_castpd256_pd128(four), _mm256_extractf128_pd(four, 1));
  return _mm_cvtsd_f64(_mm_add_sd(two, _mm_unpackhi_pd(two, two)));
}
inline __m256 fold_max_to_256(FloatVector a) {
  return _mm256_max_ps(_mm512_castps512_ps256(a.v), _mm512_extractf32x8_ps(a.v, 1));
}

#else

struct FloatVector {
  static constexpr int64_t kLanes = 8;
  __m256 v;

  static FloatVector all(float x) { return {_mm256_set1_ps(x)}; }
  static FloatVector load(const float* p) { return {_mm256_loadu_ps(p)}; }
  /// The first `count` < kLanes lanes; zero in the others.
  static FloatVector load_first(const float* p, int64_t count) {
    return {_mm256_maskload_ps(p, first(count))};
  }
  void store(float* p) const { _mm256_storeu_ps(p, v); }
  void store_first(float* p, int64_t count) const { _mm256_maskstore_ps(p, first(count), v); }
  /// This in the first `count` < kLanes lanes, `rest` in the others.
  FloatVector keep_first(int64_t count, FloatVector rest) const {
    return {_mm256_blendv_ps(rest.v, v, _mm256_castsi256_ps(first(count)))};
  }

  static FloatVector load_f16(const void* p) {
    return {_mm256_cvtph_ps(_mm_loadu_si128(static_cast<const __m128i*>(p)))};
  }
  /// Nearest even.
  void store_f16(void* p) const {
    _mm_storeu_si128(static_cast<__m128i*>(p), _mm256_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT));
  }
  static FloatVector load_bf16(const void* p) {
    const __m128i bits = _mm_loadu_si128(static_cast<const __m128i*>(p));
    return {_mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(bits), 16))};
  }
  static FloatVector load_int8(const void* p) {
    const __m128i codes = _mm_loadl_epi64(static_cast<const __m128i*>(p));
    return {_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(codes))};
  }
  /// kLanes two's complement nibbles, low nibble first.
  static FloatVector load_int4(const void* p) {
    int word = 0;
    __builtin_memcpy(&word, p, 4);
    const __m256i shifts = _mm256_set_epi32(0, 4, 8, 12, 16, 20, 24, 28);
    const __m256i top = _mm256_sllv_epi32(_mm256_set1_epi32(word), shifts);
    return {_mm256_cvtepi32_ps(_mm256_srai_epi32(top, 28))};
  }

  FloatVector operator+(FloatVector o) const { return {_mm256_add_ps(v, o.v)}; }
  FloatVector operator-(FloatVector o) const { return {_mm256_sub_ps(v, o.v)}; }
  FloatVector operator*(FloatVector o) const { return {_mm256_mul_ps(v, o.v)}; }
  FloatVector operator/(FloatVector o) const { return {_mm256_div_ps(v, o.v)}; }

  /// Lanes of (lo, hi) pairs: even and odd elements of the 2 kLanes floats at p, and back.
  static void load_pairs(const float* p, FloatVector& even, FloatVector& odd) {
    const __m256 a = _mm256_loadu_ps(p), b = _mm256_loadu_ps(p + kLanes);
    const __m256 low = _mm256_permute2f128_ps(a, b, 0x20);
    const __m256 high = _mm256_permute2f128_ps(a, b, 0x31);
    even.v = _mm256_shuffle_ps(low, high, 0x88);
    odd.v = _mm256_shuffle_ps(low, high, 0xDD);
  }
  static void store_pairs(float* p, FloatVector even, FloatVector odd) {
    const __m256 low = _mm256_unpacklo_ps(even.v, odd.v);
    const __m256 high = _mm256_unpackhi_ps(even.v, odd.v);
    _mm256_storeu_ps(p, _mm256_permute2f128_ps(low, high, 0x20));
    _mm256_storeu_ps(p + kLanes, _mm256_permute2f128_ps(low, high, 0x31));
  }

 private:
  static __m256i first(int64_t count) {
    const __m256i lanes = _mm256_set_epi32(7, 6, 5, 4, 3, 2, 1, 0);
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(count)), lanes);
  }
};

/// a * b + c, rounded once.
inline FloatVector fma(FloatVector a, FloatVector b, FloatVector c) {
  return {_mm256_fmadd_ps(a.v, b.v, c.v)};
}
/// The larger lane by lane; b where either is NaN.
inline FloatVector max(FloatVector a, FloatVector b) { return {_mm256_max_ps(a.v, b.v)}; }
inline FloatVector min(FloatVector a, FloatVector b) { return {_mm256_min_ps(a.v, b.v)}; }
inline FloatVector absolute(FloatVector a) {
  return {_mm256_andnot_ps(_mm256_set1_ps(-0.0f), a.v)};
}
/// The magnitude of `a` with the sign of `s`.
inline FloatVector copy_sign(FloatVector a, FloatVector s) {
  const __m256 sign = _mm256_set1_ps(-0.0f);
  return {_mm256_or_ps(_mm256_andnot_ps(sign, a.v), _mm256_and_ps(sign, s.v))};
}
/// a < b ? yes : no.
inline FloatVector select_less(FloatVector a, FloatVector b, FloatVector yes, FloatVector no) {
  return {_mm256_blendv_ps(no.v, yes.v, _mm256_cmp_ps(a.v, b.v, _CMP_LT_OQ))};
}
inline FloatVector round_to_even(FloatVector a) {
  return {_mm256_round_ps(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)};
}
/// a * 2^n for whole n in [-160, 160], rounded once: the first of the two factors keeps a * 2^(n/2)
/// normal if |a| is in [1/2, 2].
inline FloatVector scale_by_power(FloatVector a, FloatVector n) {
  const __m256i exponent = _mm256_cvtps_epi32(n.v);
  const __m256i half = _mm256_srai_epi32(exponent, 1);
  const __m256i bias = _mm256_set1_epi32(127);
  const __m256i first = _mm256_slli_epi32(_mm256_add_epi32(half, bias), 23);
  const __m256i second =
      _mm256_slli_epi32(_mm256_add_epi32(_mm256_sub_epi32(exponent, half), bias), 23);
  return {
      _mm256_mul_ps(_mm256_mul_ps(a.v, _mm256_castsi256_ps(first)), _mm256_castsi256_ps(second))};
}
inline __m256 fold_to_256(FloatVector a) { return a.v; }
inline double sum_in_double(FloatVector a) {
  const __m256d low = _mm256_cvtps_pd(_mm256_castps256_ps128(a.v));
  const __m256d four = _mm256_add_pd(low, _mm256_cvtps_pd(_mm256_extractf128_ps(a.v, 1)));
  const __m128d two = _mm_add_pd(_mm256_castpd256_pd128(four), _mm256_extractf128_pd(four, 1));
  return _mm_cvtsd_f64(_mm_add_sd(two, _mm_unpackhi_pd(two, two)));
}
inline __m256 fold_max_to_256(FloatVector a) { return a.v; }

#endif

/// The four sums of lanes, each as a tree whose shape does not depend on which four are taken.
inline __m128 sums_of_four(FloatVector a, FloatVector b, FloatVector c, FloatVector d) {
  const __m256 ab = _mm256_hadd_ps(fold_to_256(a), fold_to_256(b));
  const __m256 cd = _mm256_hadd_ps(fold_to_256(c), fold_to_256(d));
  const __m256 abcd = _mm256_hadd_ps(ab, cd);
  return _mm_add_ps(_mm256_castps256_ps128(abcd), _mm256_extractf128_ps(abcd, 1));
}

/// The sum of the lanes.
inline float sum(FloatVector a) { return _mm_cvtss_f32(sums_of_four(a, a, a, a)); }

/// The largest lane. NaN lanes may be passed over.
inline float largest(FloatVector a) {
  const __m256 eight = fold_max_to_256(a);
  const __m128 four = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  const __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
}

/// c[0] + c[1] x + ... by Horner's rule.
template <int Count>
inline FloatVector polynomial(const float (&c)[Count], FloatVector x) {
  FloatVector y = FloatVector::all(c[Count - 1]);
  for (int i = Count - 2; i >= 0; --i) y = fma(y, x, FloatVector::all(c[i]));
  return y;
}

/// exp(x) to 2 ulp (1 ulp of the subnormal grid where the result is subnormal); NaN stays NaN.
/// x = n ln 2 + r with |r| <= ln 2 / 2; exp(r) = 1 + r + r^2 p(r), p a minimax polynomial that
/// leaves a relative error of 3.1e-9. The rounding of r (2^-26 absolute), of the polynomial's last
/// two steps (2^-24 + 2^-27) and of the scaling add up to less than 2 ulp.
inline FloatVector exponential(FloatVector x) {
  constexpr float kSquareTerms[] = {0x1.fffffcp-2f, 0x1.555492p-3f, 0x1.5558f2p-5f, 0x1.1239e4p-7f,
                                    0x1.6a242cp-10f};
  constexpr float kLowest = -105, kHighest = 89;  // Beyond: exactly 0 and infinity.
  x = min(FloatVector::all(kHighest), max(FloatVector::all(kLowest), x));
  const FloatVector n = round_to_even(x * FloatVector::all(0x1.715476p+0f));
  FloatVector r = fma(n, FloatVector::all(-0x1.62e43p-1f), x);
  r = fma(n, FloatVector::all(0x1.05c61p-29f), r);
  const FloatVector tail = fma(r * r, polynomial(kSquareTerms, r), r);
  return scale_by_power(FloatVector::all(1) + tail, n);
}

/// tanh(x) to 4 ulp; NaN stays NaN. Below 0.625: x + x^3 p(x^2), p minimax with a relative error of
/// 4.2e-9; above: 1 - 2 / (exp(2 |x|) + 1).
inline FloatVector hyperbolic_tangent(FloatVector x) {
  constexpr float kCubeTerms[] = {-0x1.555534p-2f, 0x1.110768p-3f, -0x1.b84446p-5f, 0x1.5256c4p-6f,
                                  -0x1.76abc6p-8f};
  constexpr float kSwitch = 0.625f;
  const FloatVector a = absolute(x), square = a * a;
  const FloatVector small = fma(a * square, polynomial(kCubeTerms, square), a);
  const FloatVector e = exponential(a + a);
  const FloatVector large = FloatVector::all(1) - FloatVector::all(2) / (e + FloatVector::all(1));
  return copy_sign(select_less(a, FloatVector::all(kSwitch), small, large), x);
}

}  // namespace
}  // namespace anybit::kernel
