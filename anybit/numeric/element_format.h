// Element formats: what the bits of one number mean. A format is a row of data; codecs, kernels,
// quantizers, tests and `anybit formats` all follow from it. Scales and groups: scheme.h.
#pragma once

#include <complex>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "anybit/base/result.h"
#include "anybit/numeric/rounding.h"

namespace anybit::numeric {

enum class ElementKind : uint8_t {
  kInt,       // Two's complement, value code * 2^-mantissa_bits (mantissa_bits is usually 0).
  kUint,      // Unsigned, value code * 2^-mantissa_bits.
  kFloat,     // Sign (if is_signed), exponent_bits, mantissa_bits, subnormals.
  kPosit,     // posit<n,es> of the 2022 standard's encoding, es = exponent_bits.
  kLns,       // Sign and two's-complement log2 with mantissa_bits fraction bits; least = zero.
  kBinary,    // 0: -1, 1: +1.
  kTernary,   // 2 bits: 0: 0, 1: +1, 3: -1 (two's complement; code 2 is never written, reads as -2
              // is refused: decodes to NaN).
  kBipolar,   // Odd integers 2 * code - (2^bits - 1).
  kCodebook,  // The code indexes a table carried by the tensor.
  kComplex,   // complex2: 0: +1, 1: +i, 2: -1, 3: -i; one code stands for two real elements.
};

/// Meaning of a float's topmost codes.
enum class Specials : uint8_t {
  kNone,     // Every code is a finite number.
  kNanOnly,  // All ones below the sign is NaN; no infinity ("fn").
  kIeee,     // An all-ones exponent is infinity (mantissa 0) or NaN.
};

/// The description of an element format. Equality of all fields is equality of formats.
struct ElementFormat {
  ElementKind kind = ElementKind::kFloat;
  uint8_t bits = 32;           // Of one code: 1..16, 19 (tf32) or 32 (f32).
  uint8_t exponent_bits = 8;   // kFloat: width of the field. kPosit: es.
  uint8_t mantissa_bits = 23;  // kFloat: stored bits. kInt, kUint, kLns: fraction bits.
  int16_t exponent_bias = 127;
  Specials specials = Specials::kIeee;
  bool is_signed = true;

  constexpr uint64_t num_codes() const { return uint64_t{1} << bits; }
  /// Real numbers that one code stands for: 2 for complex2, else 1.
  constexpr int values_per_code() const { return kind == ElementKind::kComplex ? 2 : 1; }
  friend constexpr bool operator==(const ElementFormat&, const ElementFormat&) = default;
};

inline constexpr ElementFormat kF32{};
inline constexpr ElementFormat kTf32{ElementKind::kFloat, 19, 8, 10, 127, Specials::kIeee, true};
inline constexpr ElementFormat kF16{ElementKind::kFloat, 16, 5, 10, 15, Specials::kIeee, true};
inline constexpr ElementFormat kBF16{ElementKind::kFloat, 16, 8, 7, 127, Specials::kIeee, true};
inline constexpr ElementFormat kE4M3{ElementKind::kFloat, 8, 4, 3, 7, Specials::kNanOnly, true};
inline constexpr ElementFormat kE5M2{ElementKind::kFloat, 8, 5, 2, 15, Specials::kIeee, true};
inline constexpr ElementFormat kE3M2{ElementKind::kFloat, 6, 3, 2, 3, Specials::kNone, true};
inline constexpr ElementFormat kE2M3{ElementKind::kFloat, 6, 2, 3, 1, Specials::kNone, true};
inline constexpr ElementFormat kE2M1{ElementKind::kFloat, 4, 2, 1, 1, Specials::kNone, true};
/// Code 255 is NaN; code c is 2^(c - 127); no zero. Source: OCP Microscaling Formats 1.0.
inline constexpr ElementFormat kE8M0{ElementKind::kFloat, 8, 8, 0, 127, Specials::kNanOnly, false};

/// int<bits> with `fraction_bits` binary places: value = code * 2^-fraction_bits.
constexpr ElementFormat int_format(int bits, int fraction_bits = 0) {
  return {ElementKind::kInt,
          static_cast<uint8_t>(bits),
          0,
          static_cast<uint8_t>(fraction_bits),
          0,
          Specials::kNone,
          true};
}
constexpr ElementFormat uint_format(int bits, int fraction_bits = 0) {
  return {ElementKind::kUint,
          static_cast<uint8_t>(bits),
          0,
          static_cast<uint8_t>(fraction_bits),
          0,
          Specials::kNone,
          false};
}
constexpr ElementFormat posit_format(int bits, int es) {
  return {ElementKind::kPosit,
          static_cast<uint8_t>(bits),
          static_cast<uint8_t>(es),
          0,
          0,
          Specials::kNanOnly,
          true};
}
constexpr ElementFormat lns_format(int bits, int fraction_bits) {
  return {ElementKind::kLns,
          static_cast<uint8_t>(bits),
          0,
          static_cast<uint8_t>(fraction_bits),
          0,
          Specials::kNone,
          true};
}
constexpr ElementFormat codebook_format(int bits) {
  return {ElementKind::kCodebook, static_cast<uint8_t>(bits), 0, 0, 0, Specials::kNone, true};
}

/// Parses "int4", "int8f6" (6 binary places), "uint3", "e3m2", "ue4m3", "e8m0", "bf16", "f16",
/// "tf32", "f32", "posit8_1", "lns8_3", "binary", "ternary", "bipolar3", "codebook4", "complex2".
/// Floats may name their specials: "e4m3fin", "e4m3fn" (NaN only), "e4m3ieee"; without a suffix,
/// e4m3 and ue4m3 are NaN-only, e5m2, f16, bf16, tf32, f32 are IEEE, every other is finite-only.
/// The bias is 2^(x-1) - 1, and 0 for e0m<y> (magnitudes mantissa * 2^(1-y)); "b<bias>" before the
/// specials names another: "e4m3b11fin". ue<x>m0 has no zero: code c is 2^(c - bias). "e8m0" is the
/// unsigned scale, "e8m0fin" the signed format of 9 bits.
/// Every value must be a double: es <= 6, and for instance e10m5, e11m4ieee, lns16_5 but not wider.
/// Post: element_name() of the result parses to the result.
/// Errors: kInvalidArgument saying which names exist.
Result<ElementFormat> parse_element_format(std::string_view text);

/// The canonical name; the shortest that parses back.
std::string element_name(const ElementFormat& format);

/// The exact value of `code`. NaN for NaN, NaR and the unused ternary code. The value of an lns
/// code is by definition the double nearest to 2^(log2 field), so that it is a fixed point of
/// encode() in every mode.
/// Pre: code < num_codes(); the kind is neither kCodebook nor kComplex.
double decode(const ElementFormat& format, uint32_t code);

/// The code of `value` rounded as `rounding` says, from the infinitely precise value: correctly
/// rounded in every mode, subnormals included. -0 keeps its sign where the format has one.
/// NaN goes to the format's NaN, or to zero where there is none (kBinary, kBipolar, ue<x>m0: to the
/// least positive). Infinity overflows; with Overflow::kSpecial it becomes infinity or NaN (or NaR)
/// in every mode. Negative values saturate at the least value of a format without a sign.
/// Formats without a zero round it as any other value; between -1 and +1, kTowardZero of a kBinary
/// or kBipolar takes the value of the same sign.
/// Posits: nearest rounding is that of the standard, on the bit string: it never overflows to NaR
/// nor underflows to 0; the other modes act on values, so that toward zero reaches 0. Finite values
/// never become NaR. Lns: nearest in value.
/// `random`: 64 uniform bits, used by kStochastic only: the neighbour farther from zero (across
/// zero, that of the same sign) is taken iff random < 2^64 * (share of the way to it), exactly.
/// Pre: the kind is neither kCodebook nor kComplex.
/// Source: IEEE 754-2019, section 4.3; Posit Standard 2022, section 4.1.
uint32_t encode(const ElementFormat& format, double value, Rounding rounding = {},
                uint64_t random = 0);

/// The index of the codebook entry nearest to `value`; of equals, the lower index.
/// Pre: codebook is not empty and ascends.
uint32_t encode_codebook(std::span<const float> codebook, float value);

/// complex2: the unit that `code` stands for, and the code whose unit is nearest to `value`
/// (sectors of 90 degrees, boundaries counterclockwise: pi/4 goes to i). 0 goes to +1.
std::complex<float> decode_complex(uint32_t code);
uint32_t encode_complex(std::complex<float> value);

/// All values, indexed by code, rounded to float (exact save for lns and exponents beyond float's).
/// Pre: bits <= 16, and as for decode().
std::vector<float> decode_table(const ElementFormat& format);

/// The largest and the least positive finite value; 0 where none is positive (int1).
/// Pre: as for decode().
double max_finite(const ElementFormat& format);
double min_positive(const ElementFormat& format);

/// One row of `anybit formats`: a representative name or pattern and what it is.
struct FormatFamily {
  std::string_view pattern;      // "e<x>m<y>"
  std::string_view description;  // One line.
  std::string_view example;      // "e3m2": parses.
};

/// Every family, in the order of the documentation.
std::span<const FormatFamily> format_families();

/// Names of every concrete format of at most 16 bits the product is tested on exhaustively.
std::vector<std::string> all_format_names();

}  // namespace anybit::numeric
