#if defined(__x86_64__)
#include <immintrin.h>

#include "anybit/kernel/matmul/internal/panel_format.h"
#include "anybit/kernel/matmul/internal/table_matrix.h"

namespace anybit::kernel::internal {
namespace {

constexpr int kVectorsAPlane = 4;  // Of 32 rows, two steps each.

// Sums of the looked-up entries of one plane of a block, 16 bits a row; unpacking leaves rows
// 0-7, 16-23 in `first` and 8-15, 24-31 in `second`.
struct PlaneSums {
  __m256i first = _mm256_setzero_si256(), second = _mm256_setzero_si256();

  void add(__m256i nibbles, const std::byte* table) {
    const auto* halves = reinterpret_cast<const __m128i*>(table);
    const __m256i low =
        _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(_mm_load_si128(halves)), nibbles);
    const __m256i high =
        _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(_mm_load_si128(halves + 1)), nibbles);
    first = _mm256_add_epi16(first, _mm256_unpacklo_epi8(low, high));
    second = _mm256_add_epi16(second, _mm256_unpackhi_epi8(low, high));
    asm("" : "+x"(first), "+x"(second));  // Keeps the compiler from holding all look-ups at once.
  }
};

inline PlaneSums plane_sums(const std::byte* codes, const std::byte* tables) {
  const __m256i low_nibble = _mm256_set1_epi8(15);
  PlaneSums sums;
  for (int i = 0; i < kVectorsAPlane; ++i) {
    const __m256i both = _mm256_load_si256(reinterpret_cast<const __m256i*>(codes) + i);
    sums.add(_mm256_and_si256(both, low_nibble), tables + (2 * i) * 32);
    sums.add(_mm256_and_si256(_mm256_srli_epi16(both, 4), low_nibble), tables + (2 * i + 1) * 32);
  }
  return sums;
}

inline __m256 add_scaled(__m256 sums, __m128i dots, const float* weight_scales, __m256 scale) {
  const __m256 product = _mm256_mul_ps(_mm256_loadu_ps(weight_scales), scale);
  return _mm256_fmadd_ps(_mm256_cvtepi32_ps(_mm256_cvtepi16_epi32(dots)), product, sums);
}

template <int kPlanes>
void multiply(const TableArguments& args) {
  __m256 sums[4];
  for (int i = 0; i < 4; ++i) sums[i] = _mm256_loadu_ps(args.sums + 8 * i);
  const std::byte* codes = args.codes;
  const __m128i doubling = _mm_cvtsi32_si128(args.is_doubled ? 1 : 0);
  for (int64_t b = 0; b < args.num_blocks; ++b) {
    const std::byte* tables = args.tables + b * kBlockSteps * 32;
    __m256i first = _mm256_setzero_si256(), second = first;
#pragma GCC unroll 3
    for (int plane = 0; plane < kPlanes; ++plane) {
      const PlaneSums one = plane_sums(codes + plane * kVectorsAPlane * 32, tables);
      const __m128i weight = _mm_cvtsi32_si128(plane);
      first = _mm256_add_epi16(first, _mm256_sll_epi16(one.first, weight));
      second = _mm256_add_epi16(second, _mm256_sll_epi16(one.second, weight));
    }
    const __m256i bias = _mm256_set1_epi16(args.biases[b]);
    first = _mm256_add_epi16(_mm256_sll_epi16(first, doubling), bias);
    second = _mm256_add_epi16(_mm256_sll_epi16(second, doubling), bias);
    const __m256 scale = _mm256_broadcast_ss(args.activation_scales + b);
    const float* upper = args.weight_scales[0] + b * kPanelRows;
    const float* lower = args.weight_scales[1] + b * kPanelRows;
    sums[0] = add_scaled(sums[0], _mm256_castsi256_si128(first), upper, scale);
    sums[1] = add_scaled(sums[1], _mm256_castsi256_si128(second), upper + 8, scale);
    sums[2] = add_scaled(sums[2], _mm256_extracti128_si256(first, 1), lower, scale);
    sums[3] = add_scaled(sums[3], _mm256_extracti128_si256(second, 1), lower + 8, scale);
    codes += kPlanes * kVectorsAPlane * 32;
  }
  for (int i = 0; i < 4; ++i) _mm256_storeu_ps(args.sums + 8 * i, sums[i]);
}

}  // namespace

void build_tables_avx2(const std::byte* codes, int64_t num_blocks, std::byte* tables) {
  // Lane i of members[j] is all ones where bit j of i is set.
  const __m256i index = _mm256_set_epi16(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
  __m256i members[4];
  for (int j = 0; j < 4; ++j) {
    const __m256i bit = _mm256_set1_epi16(static_cast<short>(1 << j));
    members[j] = _mm256_cmpeq_epi16(_mm256_and_si256(index, bit), bit);
  }
  const auto* a = reinterpret_cast<const int8_t*>(codes);
  for (int64_t step = 0; step < num_blocks * kBlockSteps; ++step) {
    __m256i sum = _mm256_setzero_si256();
    for (int j = 0; j < 4; ++j) {
      sum = _mm256_add_epi16(sum, _mm256_and_si256(members[j], _mm256_set1_epi16(a[step * 4 + j])));
    }
    const __m256i low = _mm256_and_si256(sum, _mm256_set1_epi16(255));
    const __m256i bytes = _mm256_packus_epi16(low, _mm256_srli_epi16(sum, 8));
    constexpr int kSwapMiddle = 0xD8;
    _mm256_store_si256(reinterpret_cast<__m256i*>(tables) + step,
                       _mm256_permute4x64_epi64(bytes, kSwapMiddle));
  }
}

void multiply_tables_avx2(int planes, const TableArguments& arguments) {
  switch (planes) {
    case 1: return multiply<1>(arguments);
    case 2: return multiply<2>(arguments);
    default: return multiply<3>(arguments);
  }
}

}  // namespace anybit::kernel::internal
#endif
