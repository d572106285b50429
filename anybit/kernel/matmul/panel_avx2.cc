#if defined(__x86_64__)
#include <immintrin.h>

#include <cmath>
#include <limits>

#include "anybit/kernel/matmul/internal/panel_expand.h"
#include "anybit/kernel/matmul/internal/panel_multiply.h"
#include "anybit/kernel/matmul/internal/panel_ops.h"
#include "anybit/kernel/matmul/internal/panel_unpack.h"

namespace anybit::kernel::internal {
namespace {

// A block of 32 values; whether all are finite, and the largest magnitude.
struct FloatBlock {
  __m256 x[4];

  explicit FloatBlock(const float* values) {
    for (int i = 0; i < 4; ++i) x[i] = _mm256_loadu_ps(values + 8 * i);
  }
  float finite_amax() const {
    const __m256 magnitude = _mm256_castsi256_ps(_mm256_set1_epi32(0x7FFFFFFF));
    __m256 amax = _mm256_setzero_ps(), product = _mm256_setzero_ps();
    for (int i = 0; i < 4; ++i) {
      amax = _mm256_max_ps(amax, _mm256_and_ps(x[i], magnitude));
      // 0 * x is NaN exactly where x is not finite, and stays in the sum.
      product = _mm256_add_ps(product, _mm256_mul_ps(x[i], _mm256_setzero_ps()));
    }
    if (_mm256_movemask_ps(_mm256_cmp_ps(product, product, _CMP_UNORD_Q)) != 0) {
      return std::numeric_limits<float>::quiet_NaN();
    }
    __m128 half = _mm_max_ps(_mm256_castps256_ps128(amax), _mm256_extractf128_ps(amax, 1));
    half = _mm_max_ps(half, _mm_movehl_ps(half, half));
    return _mm_cvtss_f32(_mm_max_ss(half, _mm_movehdup_ps(half)));
  }
};

// Sums of four int32 vectors of eight consecutive codes: by halves of the block, by k % 4 < 2.
void sum_codes(const __m256i (&codes)[4], int32_t* partial_sums) {
  for (int half = 0; half < 2; ++half) {
    const __m256i both = _mm256_add_epi32(codes[2 * half], codes[2 * half + 1]);
    const __m128i four =
        _mm_add_epi32(_mm256_castsi256_si128(both), _mm256_extracti128_si256(both, 1));
    const __m128i pairs = _mm_hadd_epi32(four, four);
    _mm_storel_epi64(reinterpret_cast<__m128i*>(partial_sums + 2 * half), pairs);
  }
}

template <bool kTo16>
void quantize_block(const float* values, float limit, std::byte* codes, float* scale,
                    int32_t* partial_sums) {
  const FloatBlock block(values);
  const float amax = block.finite_amax();
  const bool is_kept = amax >= 0x1p-100f;
  *scale = is_kept ? amax / limit : std::isnan(amax) ? amax : 0;
  const __m256 inv_scale = _mm256_set1_ps(limit / amax);
  __m256i rounded[4];
  for (int i = 0; i < 4; ++i) {
    rounded[i] =
        is_kept ? _mm256_cvtps_epi32(_mm256_mul_ps(block.x[i], inv_scale)) : _mm256_setzero_si256();
  }
  sum_codes(rounded, partial_sums);
  auto* out = reinterpret_cast<__m256i*>(codes);
  constexpr int kSwapMiddle = 0xD8;
  const __m256i low =
      _mm256_permute4x64_epi64(_mm256_packs_epi32(rounded[0], rounded[1]), kSwapMiddle);
  const __m256i high =
      _mm256_permute4x64_epi64(_mm256_packs_epi32(rounded[2], rounded[3]), kSwapMiddle);
  if constexpr (kTo16) {
    _mm256_storeu_si256(out, low);
    _mm256_storeu_si256(out + 1, high);
  } else {
    _mm256_storeu_si256(out, _mm256_permute4x64_epi64(_mm256_packs_epi16(low, high), kSwapMiddle));
  }
}

template <bool kTo16>
void quantize_row(const float* a, int64_t num_cols, const QuantizedRow& out) {
  constexpr float kLimit = kTo16 ? 2047 : 127;
  const int64_t whole = num_cols / kBlockCols;
  for (int64_t b = 0; b < whole; ++b) {
    quantize_block<kTo16>(a + b * kBlockCols, kLimit, out.codes + b * out.code_stride,
                          out.scales + b * out.scale_stride, out.partial_sums + b * 4);
  }
  if (const int64_t rest = num_cols % kBlockCols; rest != 0) {
    float values[kBlockCols] = {};
    __builtin_memcpy(values, a + whole * kBlockCols, static_cast<size_t>(rest) * sizeof(float));
    quantize_block<kTo16>(values, kLimit, out.codes + whole * out.code_stride,
                          out.scales + whole * out.scale_stride, out.partial_sums + whole * 4);
  }
}

}  // namespace

void expand_scales_avx2(const ExpandScalesArguments& arguments, float* out) {
  expand_scales(arguments, out);
}

void expand_products_avx2(const ExpandProductsArguments& arguments, float* out) {
  expand_products(arguments, out);
}

void add_mins_avx2(const float* mins, const float* group_sums, int64_t num_groups, int columns,
                   float* sums) {
  add_mins(mins, group_sums, num_groups, columns, sums);
}

void quantize_int8_avx2(const float* a, int64_t num_cols, const QuantizedRow& out) {
  quantize_row<false>(a, num_cols, out);
}

void quantize_int16_avx2(const float* a, int64_t num_cols, const QuantizedRow& out) {
  quantize_row<true>(a, num_cols, out);
}

constinit const PanelOps kAvx2PanelOps = {
    find_vector_unpack, find_vector_multiply, find_multiply_codes_avx2,
    expand_scales_avx2, expand_products_avx2, add_mins_avx2,
    quantize_int8_avx2, quantize_int16_avx2,  {127, true, false}};

}  // namespace anybit::kernel::internal
#endif
