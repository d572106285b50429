// Eight floats or four doubles at a time.
#if defined(__AVX2__)
#include <immintrin.h>
#endif

#include <algorithm>
#include <cstring>

#include "anybit/base/check.h"
#include "anybit/numeric/emulation/internal/round_array_paths.h"

namespace anybit::numeric::internal {

#if defined(__AVX2__)
namespace {

struct FloatLanes {
  using Bits = __m256i;
  using Word = uint32_t;
  static constexpr Word kMantissaBits = 23;
  static constexpr Word kSignBit = Word{1} << 31;
  static constexpr int kLanes = 8;

  static Bits splat(Word x) { return _mm256_set1_epi32(static_cast<int>(x)); }
  static Bits add(Bits a, Bits b) { return _mm256_add_epi32(a, b); }
  static Bits sub(Bits a, Bits b) { return _mm256_sub_epi32(a, b); }
  static Bits bit_and(Bits a, Bits b) { return _mm256_and_si256(a, b); }
  static Bits bit_or(Bits a, Bits b) { return _mm256_or_si256(a, b); }
  static Bits bit_andnot(Bits m, Bits x) { return _mm256_andnot_si256(m, x); }
  static Bits shift_left(Bits x, Bits n) { return _mm256_sllv_epi32(x, n); }
  static Bits shift_right(Bits x, Bits n) { return _mm256_srlv_epi32(x, n); }
  static Bits greater(Bits a, Bits b) { return _mm256_cmpgt_epi32(a, b); }
  static Bits greater_unsigned(Bits a, Bits b) {
    const Bits top = splat(kSignBit);
    return greater(_mm256_xor_si256(a, top), _mm256_xor_si256(b, top));
  }
  static Bits equal(Bits a, Bits b) { return _mm256_cmpeq_epi32(a, b); }
  static Bits select(Bits m, Bits yes, Bits no) { return _mm256_blendv_epi8(no, yes, m); }
  static Bits scaled_integer(Bits k, Bits scale) {
    return _mm256_castps_si256(_mm256_mul_ps(_mm256_cvtepi32_ps(k), _mm256_castsi256_ps(scale)));
  }
  static Bits random_lanes(const uint32_t* words) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(words));
  }
};

struct DoubleLanes {
  using Bits = __m256i;
  using Word = uint64_t;
  static constexpr Word kMantissaBits = 52;
  static constexpr Word kSignBit = Word{1} << 63;
  static constexpr int kLanes = 4;

  static Bits splat(Word x) { return _mm256_set1_epi64x(static_cast<long long>(x)); }
  static Bits add(Bits a, Bits b) { return _mm256_add_epi64(a, b); }
  static Bits sub(Bits a, Bits b) { return _mm256_sub_epi64(a, b); }
  static Bits bit_and(Bits a, Bits b) { return _mm256_and_si256(a, b); }
  static Bits bit_or(Bits a, Bits b) { return _mm256_or_si256(a, b); }
  static Bits bit_andnot(Bits m, Bits x) { return _mm256_andnot_si256(m, x); }
  static Bits shift_left(Bits x, Bits n) { return _mm256_sllv_epi64(x, n); }
  static Bits shift_right(Bits x, Bits n) { return _mm256_srlv_epi64(x, n); }
  static Bits greater(Bits a, Bits b) { return _mm256_cmpgt_epi64(a, b); }
  static Bits greater_unsigned(Bits a, Bits b) {
    const Bits top = splat(kSignBit);
    return greater(_mm256_xor_si256(a, top), _mm256_xor_si256(b, top));
  }
  static Bits equal(Bits a, Bits b) { return _mm256_cmpeq_epi64(a, b); }
  static Bits select(Bits m, Bits yes, Bits no) { return _mm256_blendv_epi8(no, yes, m); }
  static Bits scaled_integer(Bits k, Bits scale) {
    // k < 2^52 under the exponent of 2^52 is the double 2^52 + k.
    const __m256d offset = _mm256_set1_pd(0x1p52);
    const __m256d shifted = _mm256_castsi256_pd(bit_or(k, _mm256_castpd_si256(offset)));
    return _mm256_castpd_si256(
        _mm256_mul_pd(_mm256_sub_pd(shifted, offset), _mm256_castsi256_pd(scale)));
  }
  static Bits random_lanes(const uint32_t* words) {
    const __m128i narrow = _mm_loadu_si128(reinterpret_cast<const __m128i*>(words));
    return _mm256_slli_epi64(_mm256_cvtepu32_epi64(narrow), 32);
  }
};

constexpr int kWordsPerBatch = 32;

struct Product {
  __m256i low;
  __m256i high;
};

// 32 x 32 -> 64 bits in each lane.
Product multiply(__m256i x, uint32_t factor) {
  const __m256i f = _mm256_set1_epi32(static_cast<int>(factor));
  const __m256i even = _mm256_mul_epu32(x, f);
  const __m256i odd = _mm256_mul_epu32(_mm256_srli_epi64(x, 32), f);
  return {_mm256_blend_epi32(even, _mm256_slli_epi64(odd, 32), 0xAA),
          _mm256_blend_epi32(_mm256_srli_epi64(even, 32), odd, 0xAA)};
}

// The words of eight consecutive counters, in order: Philox::words() in eight lanes.
void random_batch(RandomSource random, uint64_t first_counter, uint32_t* words) {
  alignas(32) uint32_t low[8], high[8];
  for (int lane = 0; lane < 8; ++lane) {
    low[lane] = static_cast<uint32_t>(first_counter + lane);
    high[lane] = static_cast<uint32_t>((first_counter + lane) >> 32);
  }
  __m256i x0 = _mm256_load_si256(reinterpret_cast<const __m256i*>(low));
  __m256i x1 = _mm256_load_si256(reinterpret_cast<const __m256i*>(high));
  __m256i x2 = _mm256_set1_epi32(static_cast<int>(random.stream));
  __m256i x3 = _mm256_set1_epi32(static_cast<int>(random.stream >> 32));
  auto key0 = static_cast<uint32_t>(random.seed);
  auto key1 = static_cast<uint32_t>(random.seed >> 32);
  for (int round = 0; round < 10; ++round) {
    const Product p0 = multiply(x0, 0xD2511F53);
    const Product p1 = multiply(x2, 0xCD9E8D57);
    x0 = _mm256_xor_si256(_mm256_xor_si256(p1.high, x1), _mm256_set1_epi32(static_cast<int>(key0)));
    x2 = _mm256_xor_si256(_mm256_xor_si256(p0.high, x3), _mm256_set1_epi32(static_cast<int>(key1)));
    x1 = p1.low;
    x3 = p0.low;
    key0 += 0x9E3779B9;
    key1 += 0xBB67AE85;
  }
  // Four vectors of eight counters to eight counters of four words.
  const __m256i a = _mm256_unpacklo_epi32(x0, x1), b = _mm256_unpackhi_epi32(x0, x1);
  const __m256i c = _mm256_unpacklo_epi32(x2, x3), d = _mm256_unpackhi_epi32(x2, x3);
  const __m256i e = _mm256_unpacklo_epi64(a, c), f = _mm256_unpackhi_epi64(a, c);
  const __m256i g = _mm256_unpacklo_epi64(b, d), h = _mm256_unpackhi_epi64(b, d);
  auto* out = reinterpret_cast<__m256i*>(words);
  _mm256_storeu_si256(out, _mm256_permute2x128_si256(e, f, 0x20));
  _mm256_storeu_si256(out + 1, _mm256_permute2x128_si256(g, h, 0x20));
  _mm256_storeu_si256(out + 2, _mm256_permute2x128_si256(e, f, 0x31));
  _mm256_storeu_si256(out + 3, _mm256_permute2x128_si256(g, h, 0x31));
}

// Rounds `count` values that share one batch of random words (or none).
template <class V, EmulatedMode Mode, class Real, class Word>
void round_run(const Real* values, Real* out, int64_t count, const RoundPlan<Word>& plan,
               const uint32_t* words) {
  int64_t i = 0;
  for (; i + V::kLanes <= count; i += V::kLanes) {
    const __m256i x = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(values + i));
    const __m256i random = is_random(Mode) ? V::random_lanes(words + i) : _mm256_setzero_si256();
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + i), round_lanes<V, Mode>(x, plan, random));
  }
  if (i == count) return;
  Real rest[V::kLanes] = {};
  uint32_t rest_words[V::kLanes] = {};
  const auto size = static_cast<size_t>(count - i);
  std::memcpy(rest, values + i, size * sizeof(Real));
  if (is_random(Mode)) std::memcpy(rest_words, words + i, size * sizeof(uint32_t));
  const __m256i x = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(rest));
  const __m256i result = round_lanes<V, Mode>(x, plan, V::random_lanes(rest_words));
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(rest), result);
  std::memcpy(out + i, rest, size * sizeof(Real));
}

template <class V, class Real, class Word>
void round_all(const Real* values, Real* out, int64_t count, const RoundPlan<Word>& plan,
               EmulatedMode mode, RandomSource random) {
  with_mode(mode, [&]<EmulatedMode Mode>() {
    if constexpr (!is_random(Mode)) {
      round_run<V, Mode>(values, out, count, plan, nullptr);
    } else {
      uint32_t words[kWordsPerBatch];
      for (int64_t i = 0; i < count;) {
        const int64_t index = random.first_index + i;
        const int64_t skipped = index % 4;
        random_batch(random, static_cast<uint64_t>(index / 4), words);
        const int64_t size = std::min(count - i, kWordsPerBatch - skipped);
        round_run<V, Mode>(values + i, out + i, size, plan, words + skipped);
        i += size;
      }
    }
  });
}

}  // namespace

void round_array_avx2(const float* values, float* out, int64_t count,
                      const RoundPlan<uint32_t>& plan, EmulatedMode mode, RandomSource random) {
  round_all<FloatLanes>(values, out, count, plan, mode, random);
}

void round_array_avx2(const double* values, double* out, int64_t count,
                      const RoundPlan<uint64_t>& plan, EmulatedMode mode, RandomSource random) {
  round_all<DoubleLanes>(values, out, count, plan, mode, random);
}

#else  // Another architecture: never called.

void round_array_avx2(const float*, float*, int64_t, const RoundPlan<uint32_t>&, EmulatedMode,
                      RandomSource) {
  ANYBIT_CHECK(false);
}

void round_array_avx2(const double*, double*, int64_t, const RoundPlan<uint64_t>&, EmulatedMode,
                      RandomSource) {
  ANYBIT_CHECK(false);
}

#endif

}  // namespace anybit::numeric::internal
