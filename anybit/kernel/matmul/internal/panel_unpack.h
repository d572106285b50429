// Decoding of panels' codes into tiles, one text for AVX2 and AVX-512. Included only by panel_*.cc;
// everything here is local to the including file.
#pragma once

#include <algorithm>
#include <array>
#include <type_traits>
#include <utility>

#include "anybit/kernel/matmul/internal/code_vector.h"
#include "anybit/kernel/matmul/internal/panel_ops.h"

#define ANYBIT_INLINE_BODY __attribute__((always_inline))

namespace anybit::kernel::internal {
namespace {

template <int kValue>
using Constant = std::integral_constant<int, kValue>;

/// Calls body(Constant<0>{}), ..., body(Constant<kCount - 1>{}).
/// Inlined whatever the compiler's own measure says: a loop's registers live across these calls,
/// and would go through memory. Bodies that hold registers say ANYBIT_INLINE_BODY too.
template <int kCount, class Body>
[[gnu::always_inline]] inline void for_constants(const Body& body) {
  [&]<int... kIndices>(std::integer_sequence<int, kIndices...>) ANYBIT_INLINE_BODY {
    (body(Constant<kIndices>{}), ...);
  }
  (std::make_integer_sequence<int, kCount>{});
}

/// The plane of kPlane bits whose first line is `line`: its field of step kStep, moved to bit kTo.
template <int kPlane, int kStep, int kTo>
inline CodeVector plane_field(const std::byte* line, int part) {
  constexpr int kStepsALine = 8 / kPlane;
  constexpr int kFrom = kStep % kStepsALine * kPlane;
  const CodeVector bytes =
      CodeVector::load(line + kStep / kStepsALine * kLineBytes + part * CodeVector::kBytes);
  if constexpr (kPlane == 8) {
    return bytes;
  } else {
    const CodeVector mask = CodeVector::all8(((1 << kPlane) - 1) << kTo);
    if constexpr (kTo == kFrom) return bytes & mask;
    if constexpr (kTo > kFrom) return bytes.shift_left16<kTo - kFrom>() & mask;
    if constexpr (kTo < kFrom) return bytes.shift_right16<kFrom - kTo>() & mask;
  }
}

/// Codes of kBits <= 8 bits of step kStep, one a byte, from planes that start at `line`, shifted
/// left by kLeft.
template <int kBits, int kLeft, int kStep>
inline CodeVector codes_at(const std::byte* line, int part) {
  constexpr int kPlane = kBits >= 8 ? 8 : kBits >= 4 ? 4 : kBits >= 2 ? 2 : 1;
  const CodeVector low = plane_field<kPlane, kStep, kLeft>(line, part);
  if constexpr (kBits == kPlane) {
    return low;
  } else {
    return low | codes_at<kBits - kPlane, kLeft + kPlane, kStep>(line + kLineBytes * kPlane, part);
  }
}

/// Looks up kBits-bit codes in a table of 2^kBits bytes, of which at least 64 are readable: 16
/// entries an instruction (64 or 128 with VBMI), the pieces chosen by the code's upper bits.
template <int kBits>
inline CodeVector look_up(const uint8_t* table, CodeVector codes) {
  if constexpr (kBits <= 4) {
    return CodeVector::broadcast128(table).at(codes);
#if defined(__AVX512VBMI__)
  } else if constexpr (kBits == 8) {
    return codes.choose(look_up<7>(table + 128, codes), look_up<7>(table, codes));
  } else if constexpr (kBits <= 6) {
    return {_mm512_permutexvar_epi8(codes.v, _mm512_loadu_si512(table))};
  } else {
    return {_mm512_permutex2var_epi8(_mm512_loadu_si512(table), codes.v,
                                     _mm512_loadu_si512(table + 64))};
#else
  } else if constexpr (kBits == 8) {
    const CodeVector low_bits = codes & CodeVector::all8(0x7F);
    return codes.choose(look_up<7>(table + 128, low_bits), look_up<7>(table, low_bits));
  } else {
    const CodeVector off = look_up<kBits - 1>(table, codes);
    const CodeVector on = look_up<kBits - 1>(table + (1 << (kBits - 1)), codes);
    return codes.shift_left16<8 - kBits>().choose(on, off);
#endif
  }
}

/// The u8 weights of step kStep of the block at `codes`.
template <CodeDecoding kDecoding, int kBits, int kLeft, int kStep>
inline CodeVector int8_step(const PanelFormat& format, const std::byte* codes, int part) {
  const CodeVector found = codes_at<kBits, kLeft, kStep>(codes, part);
  if constexpr (kDecoding != CodeDecoding::kTable) return found;
  return look_up<kBits>(format.table_low, found);
}

template <CodeDecoding kDecoding, int kBits, int kLeft>
void unpack_int8(const PanelFormat& format, const std::byte* codes, int64_t num_blocks,
                 std::byte* tile) {
  for (int64_t b = 0; b < num_blocks; ++b) {
    for_constants<kBlockSteps>([&](auto step) ANYBIT_INLINE_BODY {
      for (int part = 0; part < kParts; ++part) {
        int8_step<kDecoding, kBits, kLeft, step>(format, codes, part)
            .store(tile + step * kLineBytes + part * CodeVector::kBytes);
      }
    });
    codes += kLineBytes * kBits;
    tile += kBlockSteps * kLineBytes;
  }
}

/// The two pairs of columns of a step, 16 bits a weight.
struct Int16Step {
  CodeVector first, second;
};

inline Int16Step interleave(CodeVector low, CodeVector high) {
  return {low.interleave_low8(high), low.interleave_high8(high)};
}

/// How codes of up to 8 bits become 16-bit weights; constants sit in registers over the loop.
template <CodeDecoding kDecoding, int kBits>
class Int16Decoder;

template <int kBits>
class Int16Decoder<CodeDecoding::kTable, kBits> {
 public:
  explicit Int16Decoder(const PanelFormat& format) : format_(format) {}
  Int16Step operator()(CodeVector codes) const {
    return interleave(look_up<kBits>(format_.table_low, codes),
                      look_up<kBits>(format_.table_high, codes));
  }

 private:
  const PanelFormat& format_;
};

template <int kBits>
class Int16Decoder<CodeDecoding::kSignedTable, kBits> {
 public:
  explicit Int16Decoder(const PanelFormat& format) : magnitudes_(format) {}
  Int16Step operator()(CodeVector codes) const {
    const CodeVector index = codes & CodeVector::all8((1 << (kBits - 1)) - 1);
    const Int16Step magnitude = magnitudes_(index);
    const Int16Step sign = interleave(codes, codes.shift_left16<8 - kBits>());
    return {magnitude.first.negate16(sign.first), magnitude.second.negate16(sign.second)};
  }

 private:
  Int16Decoder<CodeDecoding::kTable, kBits - 1> magnitudes_;
};

/// The mantissa with its implicit one at bit 14 times a power of two, shifted right by 15.
template <int kBits>
class Int16Decoder<CodeDecoding::kSplitFloat, kBits> {
 public:
  explicit Int16Decoder(const PanelFormat& f)
      : exponent_mask_(CodeVector::all8(((1 << f.exponent_bits) - 1) << f.mantissa_bits)),
        mantissa_mask_(CodeVector::all8((1 << f.mantissa_bits) - 1)),
        implicit_one_(CodeVector::all8(1 << f.mantissa_bits)),
        exponent_base_(CodeVector::all8(f.exponent_base)),
        power_low_(CodeVector::broadcast128(f.table_low)),
        power_high_(CodeVector::broadcast128(f.table_high)),
        to_bit_6_(_mm_cvtsi32_si128(6 - f.mantissa_bits)),
        to_bit_0_(_mm_cvtsi32_si128(f.mantissa_bits)) {}

  Int16Step operator()(CodeVector codes) const {
    const CodeVector exponent_field = codes & exponent_mask_;
    const CodeVector mantissa = (codes & mantissa_mask_) | exponent_field.min_u8(implicit_one_);
    const CodeVector signed_mantissa =
        mantissa.shift_left16_by(to_bit_6_).negate8(codes.shift_left16<8 - kBits>());
    const CodeVector index =
        exponent_field.shift_right16_by(to_bit_0_).sub_u8_saturated(exponent_base_);
    const Int16Step powers = interleave(power_low_.at(index), power_high_.at(index));
    const Int16Step mantissas = interleave(CodeVector::zero(), signed_mantissa);
    return {mantissas.first.multiply_rounded(powers.first),
            mantissas.second.multiply_rounded(powers.second)};
  }

 private:
  CodeVector exponent_mask_, mantissa_mask_, implicit_one_, exponent_base_, power_low_, power_high_;
  __m128i to_bit_6_, to_bit_0_;
};

/// Integers minus the center: the bytes of planes 8 and up are the high bytes.
template <int kBits>
class Int16Decoder<CodeDecoding::kLinear, kBits> {
 public:
  explicit Int16Decoder(const PanelFormat& format) : center_(CodeVector::all16(format.center)) {}
  Int16Step operator()(CodeVector low, CodeVector high) const {
    const Int16Step codes = interleave(low, high);
    return {codes.first.sub16(center_), codes.second.sub16(center_)};
  }

 private:
  CodeVector center_;
};

/// The 16-bit weights of step kStep of the block at `codes`.
template <CodeDecoding kDecoding, int kBits, int kStep>
inline Int16Step int16_step(const Int16Decoder<kDecoding, kBits>& decode, const std::byte* codes,
                            int part) {
  const CodeVector low = codes_at<std::min(kBits, 8), 0, kStep>(codes, part);
  if constexpr (kDecoding != CodeDecoding::kLinear) {
    return decode(low);
  } else if constexpr (kBits <= 8) {
    return decode(low, CodeVector::zero());
  } else {
    return decode(low, codes_at<kBits - 8, 0, kStep>(codes + 8 * kLineBytes, part));
  }
}

template <CodeDecoding kDecoding, int kBits>
void unpack_int16(const PanelFormat& format, const std::byte* codes, int64_t num_blocks,
                  std::byte* tile) {
  const Int16Decoder<kDecoding, kBits> decode(format);
  for (int64_t b = 0; b < num_blocks; ++b) {
    for_constants<kBlockSteps>([&](auto step) ANYBIT_INLINE_BODY {
      // Stores may alias the tables for all the compiler knows: decode first, store then.
      Int16Step weights[kParts];
      for (int part = 0; part < kParts; ++part) {
        weights[part] = int16_step<kDecoding, kBits, step>(decode, codes, part);
      }
      for (int part = 0; part < kParts; ++part) {
        std::byte* out = tile + step * 2 * kLineBytes + part * CodeVector::kBytes;
        weights[part].first.store(out);
        weights[part].second.store(out + kLineBytes);
      }
    });
    codes += kLineBytes * kBits;
    tile += 2 * kBlockSteps * kLineBytes;
  }
}

/// 128 bits of a vector.
inline __m128i lane(CodeVector x, int index) {
#if defined(__AVX512F__)
  const __m256i half = index < 2 ? _mm512_castsi512_si256(x.v) : _mm512_extracti64x4_epi64(x.v, 1);
#else
  const __m256i half = x.v;
#endif
  return index % 2 == 0 ? _mm256_castsi256_si128(half) : _mm256_extracti128_si256(half, 1);
}

/// How eight codes become eight floats; constants sit in registers over the loop.
template <CodeDecoding kDecoding>
class FloatDecoder {
 public:
  explicit FloatDecoder(const PanelFormat& f)
      : values_(f.values.data()),
        center_(_mm256_set1_epi32(f.center)),
        factor_(_mm256_set1_ps(f.bits_factor)),
        magnitude_mask_(
            _mm_set1_epi16(static_cast<short>((1 << (f.exponent_bits + f.mantissa_bits)) - 1))),
        magnitude_shift_(_mm_cvtsi32_si128(10 - f.mantissa_bits)),
        sign_shift_(_mm_cvtsi32_si128(15 - f.exponent_bits - f.mantissa_bits)) {}

  __m256 operator()(__m128i codes) const {
    if constexpr (kDecoding == CodeDecoding::kHalf) {
      const __m128i magnitude =
          _mm_sll_epi16(_mm_and_si128(codes, magnitude_mask_), magnitude_shift_);
      const __m128i sign = _mm_sll_epi16(_mm_andnot_si128(magnitude_mask_, codes), sign_shift_);
      return _mm256_mul_ps(_mm256_cvtph_ps(_mm_or_si128(sign, magnitude)), factor_);
    }
    const __m256i words = _mm256_cvtepu16_epi32(codes);
    if constexpr (kDecoding == CodeDecoding::kBrain) {
      return _mm256_castsi256_ps(_mm256_slli_epi32(words, 16));
    } else if constexpr (kDecoding == CodeDecoding::kTable) {
      return _mm256_i32gather_ps(values_, words, 4);
    } else {
      return _mm256_cvtepi32_ps(_mm256_sub_epi32(words, center_));
    }
  }

 private:
  const float* values_;
  __m256i center_;
  __m256 factor_;
  __m128i magnitude_mask_, magnitude_shift_, sign_shift_;
};

template <CodeDecoding kDecoding, int kBits>
void unpack_float(const PanelFormat& format, const std::byte* codes, int64_t num_blocks,
                  std::byte* tile) {
  const FloatDecoder<kDecoding> decode(format);
  auto* out = reinterpret_cast<float*>(tile);
  for (int64_t b = 0; b < num_blocks; ++b) {
    for_constants<kBlockSteps>([&](auto step) ANYBIT_INLINE_BODY {
      for (int part = 0; part < kParts; ++part) {
        const CodeVector low = codes_at<std::min(kBits, 8), 0, step>(codes, part);
        CodeVector high = CodeVector::zero();
        if constexpr (kBits > 8) high = codes_at<kBits - 8, 0, step>(codes + 8 * kLineBytes, part);
        // Interleaving works within 128-bit lanes, which are columns: rows 0-7, then rows 8-15.
        const CodeVector first = low.interleave_low8(high), second = low.interleave_high8(high);
#pragma GCC unroll 4
        for (int i = 0; i < CodeVector::kBytes / 16; ++i) {
          _mm256_storeu_ps(out, decode(lane(first, i)));
          _mm256_storeu_ps(out + 8, decode(lane(second, i)));
          out += kPanelRows;
        }
      }
    });
    codes += kLineBytes * kBits;
  }
}

inline void copy_plain(const PanelFormat& format, const std::byte* codes, int64_t num_blocks,
                       std::byte* tile) {
  __builtin_memcpy(tile, codes, static_cast<size_t>(num_blocks * format.tile_block_bytes()));
}

/// make(Constant<bits>{}) for bits of kFirst..kLast, else null.
template <int kFirst, int kLast, class Make>
inline auto by_bits(int bits, Make make) {
  decltype(make(Constant<kFirst>{})) found = nullptr;
  for_constants<kLast - kFirst + 1>([&](auto i) ANYBIT_INLINE_BODY {
    if (bits == kFirst + i) found = make(Constant<kFirst + i>{});
  });
  return found;
}

inline UnpackFunction* find_unpack_int8(const PanelFormat& f) {
  if (f.decoding == CodeDecoding::kTable) {
    return by_bits<1, 6>(f.bits, [](auto b) { return &unpack_int8<CodeDecoding::kTable, b, 0>; });
  }
  if (f.is_doubled) {
    return by_bits<1, 7>(f.bits, [](auto b) { return &unpack_int8<CodeDecoding::kLinear, b, 1>; });
  }
  return by_bits<1, 8>(f.bits, [](auto b) { return &unpack_int8<CodeDecoding::kLinear, b, 0>; });
}

inline UnpackFunction* find_unpack_int16(const PanelFormat& f) {
  switch (f.decoding) {
    case CodeDecoding::kLinear:
      return by_bits<1, 16>(f.bits, [](auto b) { return &unpack_int16<CodeDecoding::kLinear, b>; });
    case CodeDecoding::kTable:
      return by_bits<1, 8>(f.bits, [](auto b) { return &unpack_int16<CodeDecoding::kTable, b>; });
    case CodeDecoding::kSignedTable:
      return by_bits<2, 8>(f.bits,
                           [](auto b) { return &unpack_int16<CodeDecoding::kSignedTable, b>; });
    case CodeDecoding::kSplitFloat:
      return by_bits<5, 8>(f.bits,
                           [](auto b) { return &unpack_int16<CodeDecoding::kSplitFloat, b>; });
    default: return nullptr;
  }
}

inline UnpackFunction* find_unpack_float(const PanelFormat& f) {
  switch (f.decoding) {
    case CodeDecoding::kPlain: return copy_plain;
    case CodeDecoding::kBrain: return unpack_float<CodeDecoding::kBrain, 16>;
    case CodeDecoding::kHalf:
      return by_bits<2, 16>(f.bits, [](auto b) { return &unpack_float<CodeDecoding::kHalf, b>; });
    case CodeDecoding::kTable:
      return by_bits<1, 16>(f.bits, [](auto b) { return &unpack_float<CodeDecoding::kTable, b>; });
    case CodeDecoding::kLinear:
      return by_bits<1, 16>(f.bits, [](auto b) { return &unpack_float<CodeDecoding::kLinear, b>; });
    default: return nullptr;
  }
}

inline UnpackFunction* find_vector_unpack(const PanelFormat& format) {
  switch (format.arithmetic) {
    case Arithmetic::kInt8: return find_unpack_int8(format);
    case Arithmetic::kInt16: return find_unpack_int16(format);
    case Arithmetic::kFloat: break;
  }
  return find_unpack_float(format);
}

}  // namespace
}  // namespace anybit::kernel::internal
