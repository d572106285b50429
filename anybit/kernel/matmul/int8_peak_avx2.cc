#if defined(__x86_64__)
#include <immintrin.h>

#include "anybit/kernel/matmul/internal/int8_peak.h"

namespace anybit::kernel::internal {

void run_int8_peak_avx2(int64_t rounds) {
  constexpr int kAccumulators = 8;
  __m256i sums[kAccumulators];
  for (__m256i& sum : sums) sum = _mm256_setzero_si256();
  __m256i a = _mm256_set1_epi8(3), b = _mm256_set1_epi8(5);
  const __m256i ones = _mm256_set1_epi16(1);
  for (int64_t round = 0; round < rounds; ++round) {
    // Unrolled, or the sums would live in memory and the loop would time that.
#pragma GCC unroll 8
    for (__m256i& sum : sums) {
      asm volatile("" : "+x"(a), "+x"(b));  // The operands may change: nothing is hoisted.
      sum = _mm256_add_epi32(sum, _mm256_madd_epi16(_mm256_maddubs_epi16(a, b), ones));
    }
  }
  for (const __m256i& sum : sums) asm volatile("" : : "x"(sum));
}

}  // namespace anybit::kernel::internal
#endif
