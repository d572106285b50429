// Scales and mins of panels widened to f32, one text for AVX2 and AVX-512. Included only by
// panel_*.cc; everything here is local to the including file.
#pragma once

#include <immintrin.h>

#include <type_traits>

#include "anybit/kernel/matmul/internal/code_vector.h"
#include "anybit/kernel/matmul/internal/panel_ops.h"

namespace anybit::kernel::internal {
namespace {

/// How the numbers of one level become floats; constants sit in registers over the loop.
struct ScaleDecoder {
  __m128i mantissa_shift;  // kByteFloat.
  int sign_bit;            // kByteFloat: 128 where the byte has a sign.
};

#if defined(__AVX512F__)

/// 16 numbers in `kStorage` at p.
template <ScaleStorage kStorage>
inline SumVector expand_lanes(const ScaleDecoder& decoder, const std::byte* p) {
  const auto halves = [&] { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)); };
  const auto bytes = [&] { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p)); };
  const auto words = [&] { return _mm512_cvtepu8_epi32(bytes()); };
  using enum ScaleStorage;
  if constexpr (kStorage == kF32) {
    return {_mm512_loadu_ps(p)};
  } else if constexpr (kStorage == kF16) {
    return {_mm512_cvtph_ps(halves())};
  } else if constexpr (kStorage == kBF16) {
    return {_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(halves()), 16))};
  } else if constexpr (kStorage == kE8M0) {
    const __m512i codes = words(), half_bit = _mm512_set1_epi32(0x00400000);
    // Codes 0 and 255 are 2^-127, a subnormal, and NaN: both set the mantissa's top bit.
    const __mmask16 is_end = _mm512_testn_epi32_mask(codes, codes) |
                             _mm512_cmpeq_epi32_mask(codes, _mm512_set1_epi32(255));
    const __m512i bits = _mm512_slli_epi32(codes, 23);
    return {_mm512_castsi512_ps(_mm512_mask_or_epi32(bits, is_end, bits, half_bit))};
  } else if constexpr (kStorage == kByteFloat) {
    const __m256i codes = _mm256_cvtepu8_epi16(bytes());
    const __m256i sign_bit = _mm256_set1_epi16(static_cast<short>(decoder.sign_bit));
    const __m256i sign = _mm256_slli_epi16(_mm256_and_si256(codes, sign_bit), 8);
    const __m256i rest =
        _mm256_sll_epi16(_mm256_andnot_si256(sign_bit, codes), decoder.mantissa_shift);
    return {_mm512_cvtph_ps(_mm256_or_si256(sign, rest))};
  } else if constexpr (kStorage == kInt8) {
    return {_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(bytes()))};
  } else if constexpr (kStorage == kUint8) {
    return {_mm512_cvtepi32_ps(words())};
  } else if constexpr (kStorage == kLowNibble) {
    return {_mm512_cvtepi32_ps(_mm512_and_si512(words(), _mm512_set1_epi32(15)))};
  } else if constexpr (kStorage == kHighNibble) {
    return {_mm512_cvtepi32_ps(_mm512_srli_epi32(words(), 4))};
  } else {
    return {_mm512_cvtepi32_ps(_mm512_cvtepu16_epi32(halves()))};
  }
}

#else

/// 8 numbers in `kStorage` at p.
template <ScaleStorage kStorage>
inline SumVector expand_lanes(const ScaleDecoder& decoder, const std::byte* p) {
  const auto halves = [&] { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p)); };
  const auto bytes = [&] { return _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)); };
  const auto words = [&] { return _mm256_cvtepu8_epi32(bytes()); };
  using enum ScaleStorage;
  if constexpr (kStorage == kF32) {
    return {_mm256_loadu_ps(reinterpret_cast<const float*>(p))};
  } else if constexpr (kStorage == kF16) {
    return {_mm256_cvtph_ps(halves())};
  } else if constexpr (kStorage == kBF16) {
    return {_mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(halves()), 16))};
  } else if constexpr (kStorage == kE8M0) {
    const __m256i codes = words();
    // Codes 0 and 255 are 2^-127, a subnormal, and NaN: both set the mantissa's top bit.
    const __m256i is_end = _mm256_or_si256(_mm256_cmpeq_epi32(codes, _mm256_setzero_si256()),
                                           _mm256_cmpeq_epi32(codes, _mm256_set1_epi32(255)));
    const __m256i bits = _mm256_slli_epi32(codes, 23);
    return {_mm256_castsi256_ps(
        _mm256_or_si256(bits, _mm256_and_si256(is_end, _mm256_set1_epi32(0x00400000))))};
  } else if constexpr (kStorage == kByteFloat) {
    const __m128i codes = _mm_cvtepu8_epi16(bytes());
    const __m128i sign_bit = _mm_set1_epi16(static_cast<short>(decoder.sign_bit));
    const __m128i sign = _mm_slli_epi16(_mm_and_si128(codes, sign_bit), 8);
    const __m128i rest = _mm_sll_epi16(_mm_andnot_si128(sign_bit, codes), decoder.mantissa_shift);
    return {_mm256_cvtph_ps(_mm_or_si128(sign, rest))};
  } else if constexpr (kStorage == kInt8) {
    return {_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(bytes()))};
  } else if constexpr (kStorage == kUint8) {
    return {_mm256_cvtepi32_ps(words())};
  } else if constexpr (kStorage == kLowNibble) {
    return {_mm256_cvtepi32_ps(_mm256_and_si256(words(), _mm256_set1_epi32(15)))};
  } else if constexpr (kStorage == kHighNibble) {
    return {_mm256_cvtepi32_ps(_mm256_srli_epi32(words(), 4))};
  } else {
    return {_mm256_cvtepi32_ps(_mm256_cvtepu16_epi32(halves()))};
  }
}

#endif

/// The 16 numbers of a panel's rows.
template <ScaleStorage kStorage>
inline void expand_rows(const ScaleDecoder& decoder, const std::byte* p,
                        SumVector (&numbers)[kParts]) {
#pragma GCC unroll 4
  for (int part = 0; part < kParts; ++part) {
    numbers[part] =
        expand_lanes<kStorage>(decoder, p + part * SumVector::kLanes * scale_bytes(kStorage));
  }
}

template <ScaleStorage kStorage>
void expand_as(const ExpandScalesArguments& args, float* out) {
  const ScaleDecoder decoder{_mm_cvtsi32_si128(args.mantissa_shift), args.has_sign ? 128 : 0};
  const SumVector factor = SumVector::all(&args.factor);
  const std::byte* scales = args.scales;
  const int64_t ratio = args.ratio;
  float* const end = out + args.count * kPanelRows;
  for (int64_t left = ratio - args.first % ratio; out < end; left = ratio) {
    SumVector numbers[kParts];
    expand_rows<kStorage>(decoder, scales, numbers);
#pragma GCC unroll 4
    for (int part = 0; part < kParts; ++part) numbers[part] = numbers[part] * factor;
    for (; left > 0 && out < end; --left, out += kPanelRows) {
#pragma GCC unroll 4
      for (int part = 0; part < kParts; ++part) numbers[part].store(out + part * SumVector::kLanes);
    }
    scales += kPanelRows * scale_bytes(kStorage);
  }
}

template <ScaleStorage kStorage>
void expand_products_as(const ExpandProductsArguments& args, float* out) {
  const ScaleDecoder decoder{};
  const SumVector offset = SumVector::all(&args.offset);
  const std::byte* scales = args.scales;
  const float* outer = args.outer;
  const int64_t ratio = args.ratio;
  float* const end = out + args.count * kPanelRows;
  for (int64_t left = ratio - args.first % ratio; out < end; left = ratio) {
    SumVector factors[kParts];
#pragma GCC unroll 4
    for (int part = 0; part < kParts; ++part) {
      factors[part] = SumVector::load(outer + part * SumVector::kLanes);
    }
    outer += kPanelRows;
    for (; left > 0 && out < end; --left, out += kPanelRows) {
      SumVector numbers[kParts];
      expand_rows<kStorage>(decoder, scales, numbers);
#pragma GCC unroll 4
      for (int part = 0; part < kParts; ++part) {
        ((numbers[part] - offset) * factors[part]).store(out + part * SumVector::kLanes);
      }
      scales += kPanelRows * scale_bytes(kStorage);
    }
  }
}

/// Calls body with the storage as a constant.
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

inline void expand_scales(const ExpandScalesArguments& args, float* out) {
  with_storage(args.storage, [&](auto storage) { expand_as<storage.value>(args, out); });
}

inline void expand_products(const ExpandProductsArguments& args, float* out) {
  with_storage(args.storage, [&](auto storage) { expand_products_as<storage.value>(args, out); });
}

/// A chain of sums a column, all columns abreast: one alone would wait for each addition.
template <int kColumns>
inline void add_mins_to(const float* mins, const float* group_sums, int64_t num_groups,
                        float* sums) {
  for (int part = 0; part < kParts; ++part) {
    float* const out = sums + part * SumVector::kLanes;
    const float* min = mins + part * SumVector::kLanes;
    const float* group_sum = group_sums;
    SumVector chains[kColumns];
#pragma GCC unroll 8
    for (int c = 0; c < kColumns; ++c) chains[c] = SumVector::load(out + c * kPanelRows);
    for (int64_t g = 0; g < num_groups; ++g, min += kPanelRows, group_sum += kColumns) {
      const SumVector factor = SumVector::load(min);
#pragma GCC unroll 8
      for (int c = 0; c < kColumns; ++c) {
        chains[c] = chains[c].add_product(factor, SumVector::all(group_sum + c));
      }
    }
#pragma GCC unroll 8
    for (int c = 0; c < kColumns; ++c) chains[c].store(out + c * kPanelRows);
  }
}

inline void add_mins(const float* mins, const float* group_sums, int64_t num_groups, int columns,
                     float* sums) {
  switch (columns) {
    case 1: return add_mins_to<1>(mins, group_sums, num_groups, sums);
    case 2: return add_mins_to<2>(mins, group_sums, num_groups, sums);
    case 3: return add_mins_to<3>(mins, group_sums, num_groups, sums);
    case 4: return add_mins_to<4>(mins, group_sums, num_groups, sums);
    case 5: return add_mins_to<5>(mins, group_sums, num_groups, sums);
    default: return add_mins_to<kMaxColumns>(mins, group_sums, num_groups, sums);
  }
}

}  // namespace
}  // namespace anybit::kernel::internal
