// CodeVector: a register of bytes, as wide as the including file's instruction set has them, so
// that one text of the panel kernels compiles for AVX2 and for AVX-512. Included only by
// panel_*.cc; everything here is local to the including file, because the same name means other
// code in another file.
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace anybit::kernel::internal {
namespace {

#if defined(__AVX512F__)

struct CodeVector {
  static constexpr int kBytes = 64;
  __m512i v;

  static CodeVector zero() { return {_mm512_setzero_si512()}; }
  static CodeVector all8(int x) { return {_mm512_set1_epi8(static_cast<char>(x))}; }
  static CodeVector all16(int x) { return {_mm512_set1_epi16(static_cast<short>(x))}; }
  static CodeVector load(const void* p) { return {_mm512_loadu_si512(p)}; }
  /// The 32-bit word at p in every lane of 32 bits.
  static CodeVector broadcast32(const void* p) {
    int word;
    __builtin_memcpy(&word, p, 4);
    return {_mm512_set1_epi32(word)};
  }
  /// The 16 bytes at p in every lane of 128 bits.
  static CodeVector broadcast128(const void* p) {
    return {_mm512_broadcast_i32x4(_mm_loadu_si128(static_cast<const __m128i*>(p)))};
  }
  void store(void* p) const { _mm512_storeu_si512(p, v); }

  CodeVector operator&(CodeVector o) const { return {_mm512_and_si512(v, o.v)}; }
  CodeVector operator|(CodeVector o) const { return {_mm512_or_si512(v, o.v)}; }
  template <int kCount>
  CodeVector shift_left16() const {
    return {_mm512_slli_epi16(v, kCount)};
  }
  template <int kCount>
  CodeVector shift_right16() const {
    return {_mm512_srli_epi16(v, kCount)};
  }
  CodeVector shift_left16_by(__m128i count) const { return {_mm512_sll_epi16(v, count)}; }
  CodeVector shift_right16_by(__m128i count) const { return {_mm512_srl_epi16(v, count)}; }
  CodeVector add16(CodeVector o) const { return {_mm512_add_epi16(v, o.v)}; }
  CodeVector sub16(CodeVector o) const { return {_mm512_sub_epi16(v, o.v)}; }
  CodeVector add32(CodeVector o) const { return {_mm512_add_epi32(v, o.v)}; }
  CodeVector min_u8(CodeVector o) const { return {_mm512_min_epu8(v, o.v)}; }
  CodeVector sub_u8_saturated(CodeVector o) const { return {_mm512_subs_epu8(v, o.v)}; }
  /// Per 128-bit lane: this as a table of 16 bytes, at the low 4 bits of `index`.
  CodeVector at(CodeVector index) const { return {_mm512_shuffle_epi8(v, index.v)}; }
  /// `on` where the top bit of the byte is set in this, else `off`.
  CodeVector choose(CodeVector on, CodeVector off) const {
    return {_mm512_mask_blend_epi8(_mm512_movepi8_mask(v), off.v, on.v)};
  }
  /// Bytes negated where the byte of `sign` is negative.
  CodeVector negate8(CodeVector sign) const {
    return {_mm512_mask_sub_epi8(v, _mm512_movepi8_mask(sign.v), _mm512_setzero_si512(), v)};
  }
  CodeVector negate16(CodeVector sign) const {
    return {_mm512_mask_sub_epi16(v, _mm512_movepi16_mask(sign.v), _mm512_setzero_si512(), v)};
  }
  CodeVector interleave_low8(CodeVector o) const { return {_mm512_unpacklo_epi8(v, o.v)}; }
  CodeVector interleave_high8(CodeVector o) const { return {_mm512_unpackhi_epi8(v, o.v)}; }
  /// 16-bit (a * b + 2^14) >> 15.
  CodeVector multiply_rounded(CodeVector o) const { return {_mm512_mulhrs_epi16(v, o.v)}; }
  /// 16-bit sums of two products: this unsigned bytes, o signed bytes.
  CodeVector multiply_pairs8(CodeVector o) const { return {_mm512_maddubs_epi16(v, o.v)}; }
  /// Keeps the compiler from reordering a chain of sums beyond this point: it would hold every
  /// product of an unrolled loop at once, and spill them.
  void pin() { asm("" : "+v"(v)); }
  /// 32-bit sums of two products of signed 16 bits.
  CodeVector multiply_pairs16(CodeVector o) const { return {_mm512_madd_epi16(v, o.v)}; }
  /// 32-bit lanes plus two products of signed 16 bits.
  CodeVector add_products16(CodeVector a, CodeVector b) const {
#if defined(__AVX512VNNI__)
    return {_mm512_dpwssd_epi32(v, a.v, b.v)};
#else
    return add32(a.multiply_pairs16(b));
#endif
  }
  /// 32-bit lanes plus four products of unsigned by signed bytes.
  CodeVector add_products8(CodeVector weights, CodeVector codes) const {
#if defined(__AVX512VNNI__)
    return {_mm512_dpbusd_epi32(v, weights.v, codes.v)};
#else
    return add32(weights.multiply_pairs8(codes).multiply_pairs16(all16(1)));
#endif
  }
};

struct SumVector {
  static constexpr int kLanes = 16;
  __m512 v;
  static SumVector zero() { return {_mm512_setzero_ps()}; }
  static SumVector load(const float* p) { return {_mm512_loadu_ps(p)}; }
  static SumVector all(const float* p) { return {_mm512_set1_ps(*p)}; }
  static SumVector from_int32(CodeVector x) { return {_mm512_cvtepi32_ps(x.v)}; }
  void store(float* p) const { _mm512_storeu_ps(p, v); }
  SumVector operator-(SumVector o) const { return {_mm512_sub_ps(v, o.v)}; }
  SumVector operator*(SumVector o) const { return {_mm512_mul_ps(v, o.v)}; }
  /// a * b + this, rounded once.
  SumVector add_product(SumVector a, SumVector b) const { return {_mm512_fmadd_ps(a.v, b.v, v)}; }
};

#else

struct CodeVector {
  static constexpr int kBytes = 32;
  __m256i v;

  static CodeVector zero() { return {_mm256_setzero_si256()}; }
  static CodeVector all8(int x) { return {_mm256_set1_epi8(static_cast<char>(x))}; }
  static CodeVector all16(int x) { return {_mm256_set1_epi16(static_cast<short>(x))}; }
  static CodeVector load(const void* p) {
    return {_mm256_loadu_si256(static_cast<const __m256i*>(p))};
  }
  static CodeVector broadcast32(const void* p) {
    int word;
    __builtin_memcpy(&word, p, 4);
    return {_mm256_set1_epi32(word)};
  }
  static CodeVector broadcast128(const void* p) {
    return {_mm256_broadcastsi128_si256(_mm_loadu_si128(static_cast<const __m128i*>(p)))};
  }
  void store(void* p) const { _mm256_storeu_si256(static_cast<__m256i*>(p), v); }

  CodeVector operator&(CodeVector o) const { return {_mm256_and_si256(v, o.v)}; }
  CodeVector operator|(CodeVector o) const { return {_mm256_or_si256(v, o.v)}; }
  template <int kCount>
  CodeVector shift_left16() const {
    return {_mm256_slli_epi16(v, kCount)};
  }
  template <int kCount>
  CodeVector shift_right16() const {
    return {_mm256_srli_epi16(v, kCount)};
  }
  CodeVector shift_left16_by(__m128i count) const { return {_mm256_sll_epi16(v, count)}; }
  CodeVector shift_right16_by(__m128i count) const { return {_mm256_srl_epi16(v, count)}; }
  CodeVector add16(CodeVector o) const { return {_mm256_add_epi16(v, o.v)}; }
  CodeVector sub16(CodeVector o) const { return {_mm256_sub_epi16(v, o.v)}; }
  CodeVector add32(CodeVector o) const { return {_mm256_add_epi32(v, o.v)}; }
  CodeVector min_u8(CodeVector o) const { return {_mm256_min_epu8(v, o.v)}; }
  CodeVector sub_u8_saturated(CodeVector o) const { return {_mm256_subs_epu8(v, o.v)}; }
  CodeVector at(CodeVector index) const { return {_mm256_shuffle_epi8(v, index.v)}; }
  CodeVector choose(CodeVector on, CodeVector off) const {
    return {_mm256_blendv_epi8(off.v, on.v, v)};
  }
  CodeVector negate8(CodeVector sign) const {
    return {_mm256_sign_epi8(v, _mm256_or_si256(sign.v, _mm256_set1_epi8(1)))};
  }
  CodeVector negate16(CodeVector sign) const {
    return {_mm256_sign_epi16(v, _mm256_or_si256(sign.v, _mm256_set1_epi16(1)))};
  }
  CodeVector interleave_low8(CodeVector o) const { return {_mm256_unpacklo_epi8(v, o.v)}; }
  CodeVector interleave_high8(CodeVector o) const { return {_mm256_unpackhi_epi8(v, o.v)}; }
  CodeVector multiply_rounded(CodeVector o) const { return {_mm256_mulhrs_epi16(v, o.v)}; }
  CodeVector multiply_pairs8(CodeVector o) const { return {_mm256_maddubs_epi16(v, o.v)}; }
  CodeVector multiply_pairs16(CodeVector o) const { return {_mm256_madd_epi16(v, o.v)}; }
  CodeVector add_products16(CodeVector a, CodeVector b) const {
    return add32(a.multiply_pairs16(b));
  }
  CodeVector add_products8(CodeVector weights, CodeVector codes) const {
    return add32(weights.multiply_pairs8(codes).multiply_pairs16(all16(1)));
  }
  void pin() { asm("" : "+x"(v)); }
};

struct SumVector {
  static constexpr int kLanes = 8;
  __m256 v;
  static SumVector zero() { return {_mm256_setzero_ps()}; }
  static SumVector load(const float* p) { return {_mm256_loadu_ps(p)}; }
  static SumVector all(const float* p) { return {_mm256_broadcast_ss(p)}; }
  static SumVector from_int32(CodeVector x) { return {_mm256_cvtepi32_ps(x.v)}; }
  void store(float* p) const { _mm256_storeu_ps(p, v); }
  SumVector operator-(SumVector o) const { return {_mm256_sub_ps(v, o.v)}; }
  SumVector operator*(SumVector o) const { return {_mm256_mul_ps(v, o.v)}; }
  SumVector add_product(SumVector a, SumVector b) const { return {_mm256_fmadd_ps(a.v, b.v, v)}; }
};

#endif

/// Whether one instruction looks up 64 or 128 bytes.
#if defined(__AVX512VBMI__)
inline constexpr bool kHasByteTables = true;
#else
inline constexpr bool kHasByteTables = false;
#endif

/// Registers that hold one line of 64 bytes, and the 16 sums of a panel.
inline constexpr int kParts = 64 / CodeVector::kBytes;

}  // namespace
}  // namespace anybit::kernel::internal
