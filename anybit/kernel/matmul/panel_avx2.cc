#if defined(__x86_64__)
#include <immintrin.h>

#include <cmath>
#include <limits>
#include <type_traits>

#include "anybit/kernel/matmul/internal/panel_multiply.h"
#include "anybit/kernel/matmul/internal/panel_ops.h"
#include "anybit/kernel/matmul/internal/panel_unpack.h"

namespace anybit::kernel::internal {
namespace {

__m256 expand_eight(ScaleStorage storage, __m128i mantissa_shift, bool has_sign,
                    const std::byte* p) {
  const auto load16 = [&] { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p)); };
  const auto load8 = [&] { return _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)); };
  switch (storage) {
    case ScaleStorage::kF32: return _mm256_loadu_ps(reinterpret_cast<const float*>(p));
    case ScaleStorage::kF16: return _mm256_cvtph_ps(load16());
    case ScaleStorage::kBF16:
      return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(load16()), 16));
    case ScaleStorage::kE8M0: {
      const __m256i codes = _mm256_cvtepu8_epi32(load8());
      const __m256i zero = _mm256_cmpeq_epi32(codes, _mm256_setzero_si256());
      const __m256i nan = _mm256_cmpeq_epi32(codes, _mm256_set1_epi32(255));
      const __m256i bits = _mm256_slli_epi32(codes, 23);
      const __m256i quiet = _mm256_and_si256(nan, _mm256_set1_epi32(0x00400000));
      const __m256i least = _mm256_and_si256(zero, _mm256_set1_epi32(0x00400000));
      return _mm256_castsi256_ps(_mm256_or_si256(bits, _mm256_or_si256(quiet, least)));
    }
    case ScaleStorage::kByteFloat: {
      const __m128i codes = _mm_cvtepu8_epi16(load8());
      const __m128i sign_bit = _mm_set1_epi16(has_sign ? 128 : 0);
      const __m128i sign = _mm_slli_epi16(_mm_and_si128(codes, sign_bit), 8);
      const __m128i rest = _mm_sll_epi16(_mm_andnot_si128(sign_bit, codes), mantissa_shift);
      return _mm256_cvtph_ps(_mm_or_si128(sign, rest));
    }
    case ScaleStorage::kInt8: return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(load8()));
    case ScaleStorage::kUint8: return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(load8()));
    case ScaleStorage::kLowNibble:
      return _mm256_cvtepi32_ps(
          _mm256_and_si256(_mm256_cvtepu8_epi32(load8()), _mm256_set1_epi32(15)));
    case ScaleStorage::kHighNibble:
      return _mm256_cvtepi32_ps(_mm256_srli_epi32(_mm256_cvtepu8_epi32(load8()), 4));
    case ScaleStorage::kUint16: break;
  }
  return _mm256_cvtepi32_ps(_mm256_cvtepu16_epi32(load16()));
}

template <ScaleStorage kStorage>
void expand_as(const ExpandScalesArguments& args, float* out) {
  const __m128i shift = _mm_cvtsi32_si128(args.mantissa_shift);
  const __m256 factor = _mm256_set1_ps(args.factor);
  const std::byte* scales = args.scales;
  float* const end = out + args.count * kPanelRows;
  int64_t left = args.ratio - args.first % args.ratio;
  while (out < end) {
    const __m256 low = _mm256_mul_ps(expand_eight(kStorage, shift, args.has_sign, scales), factor);
    scales += 8 * scale_bytes(kStorage);
    const __m256 high = _mm256_mul_ps(expand_eight(kStorage, shift, args.has_sign, scales), factor);
    scales += 8 * scale_bytes(kStorage);
    for (; left > 0 && out < end; --left, out += kPanelRows) {
      _mm256_storeu_ps(out, low);
      _mm256_storeu_ps(out + 8, high);
    }
    left = args.ratio;
  }
}

// Calls body with the storage as a constant.
template <class Body>
void with_storage(ScaleStorage storage, Body&& body) {
  using enum ScaleStorage;
  switch (storage) {
    case kF32: return body(std::integral_constant<ScaleStorage, kF32>{});
    case kF16: return body(std::integral_constant<ScaleStorage, kF16>{});
    case kBF16: return body(std::integral_constant<ScaleStorage, kBF16>{});
    case kE8M0: return body(std::integral_constant<ScaleStorage, kE8M0>{});
    case kByteFloat: return body(std::integral_constant<ScaleStorage, kByteFloat>{});
    case kInt8: return body(std::integral_constant<ScaleStorage, kInt8>{});
    case kUint8: return body(std::integral_constant<ScaleStorage, kUint8>{});
    case kUint16: return body(std::integral_constant<ScaleStorage, kUint16>{});
    case kLowNibble: return body(std::integral_constant<ScaleStorage, kLowNibble>{});
    case kHighNibble: return body(std::integral_constant<ScaleStorage, kHighNibble>{});
  }
}

template <ScaleStorage kStorage>
void expand_products_as(const ExpandProductsArguments& args, float* out) {
  const __m256 offset = _mm256_set1_ps(args.offset);
  const float* outer = args.outer;
  int64_t left = args.ratio - args.first % args.ratio;
  for (int64_t i = 0; i < args.count; ++i, --left) {
    if (left == 0) {
      left = args.ratio;
      outer += kPanelRows;
    }
    for (int64_t half = 0; half < kPanelRows; half += 8) {
      const int64_t index = i * kPanelRows + half;
      const __m256 number = expand_eight(kStorage, _mm_setzero_si128(), false,
                                         args.scales + index * scale_bytes(kStorage));
      _mm256_storeu_ps(out + index,
                       _mm256_mul_ps(_mm256_sub_ps(number, offset), _mm256_loadu_ps(outer + half)));
    }
  }
}

void add_mins(const float* mins, const float* group_sums, int64_t num_groups, int columns,
              float* sums) {
  for (int c = 0; c < columns; ++c) {
    for (int part = 0; part < kParts; ++part) {
      float* out = sums + c * kPanelRows + part * SumVector::kLanes;
      SumVector sum = SumVector::load(out);
      for (int64_t g = 0; g < num_groups; ++g) {
        sum = sum.add_product(SumVector::load(mins + g * kPanelRows + part * SumVector::kLanes),
                              SumVector::all(group_sums + g * columns + c));
      }
      sum.store(out);
    }
  }
}

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
  with_storage(arguments.storage,
               [&](auto constant) { expand_as<constant.value>(arguments, out); });
}

void expand_products_avx2(const ExpandProductsArguments& arguments, float* out) {
  with_storage(arguments.storage,
               [&](auto constant) { expand_products_as<constant.value>(arguments, out); });
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
    quantize_int8_avx2, quantize_int16_avx2,  {127, true}};

}  // namespace anybit::kernel::internal
#endif
