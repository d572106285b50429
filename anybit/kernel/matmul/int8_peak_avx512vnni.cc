#if defined(__x86_64__)
#include <immintrin.h>

#include "anybit/kernel/matmul/internal/int8_peak.h"

namespace anybit::kernel::internal {

void run_int8_peak_avx512vnni(int64_t rounds) {
  constexpr int kAccumulators = 8;
  __m512i sums[kAccumulators];
  for (__m512i& sum : sums) sum = _mm512_setzero_si512();
  __m512i a = _mm512_set1_epi8(3), b = _mm512_set1_epi8(5);
  for (int64_t round = 0; round < rounds; ++round) {
    // Unrolled, or the sums would live in memory and the loop would time that.
#pragma GCC unroll 8
    for (__m512i& sum : sums) {
      asm volatile("" : "+v"(a), "+v"(b));  // The operands may change: nothing is hoisted.
      sum = _mm512_dpbusd_epi32(sum, a, b);
    }
  }
  for (const __m512i& sum : sums) asm volatile("" : : "v"(sum));
}

}  // namespace anybit::kernel::internal
#endif
