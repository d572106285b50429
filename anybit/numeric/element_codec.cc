// decode() and encode(). Every scalar format is treated the same way: a format orders the
// magnitudes it can represent by an index 0, 1, 2, ...; a value is bracketed between two of them
// with its exact position in between; one function then rounds; the index becomes a code.
#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "anybit/base/check.h"
#include "anybit/numeric/element_format.h"
#include "anybit/numeric/internal/lns_table.h"

namespace anybit::numeric {
namespace {

using Wide = unsigned __int128;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

/// A positive finite double: significand * 2^exponent exactly, and floor(log2) of it.
struct Magnitude {
  uint64_t significand;
  int exponent;
  int log2;
};

Magnitude magnitude_of(double positive) {
  const auto bits = std::bit_cast<uint64_t>(positive);
  const int field = static_cast<int>(bits >> 52);
  const uint64_t fraction = bits & ((uint64_t{1} << 52) - 1);
  const uint64_t significand = field == 0 ? fraction : fraction | uint64_t{1} << 52;
  const int exponent = field == 0 ? -1074 : field - 1075;
  return {significand, exponent, exponent + static_cast<int>(std::bit_width(significand)) - 1};
}

/// Where a magnitude lies from the index `inner` (towards zero) to inner + 1.
struct Bracket {
  int64_t inner = 0;
  bool is_exact = true;     // At inner itself.
  int against_tie = -1;     // -1, 0, 1: before, at, beyond the point where nearest changes.
  uint64_t last_outer = 0;  // Stochastic: random <= last_outer goes outward, that is, random is
                            // under 2^64 times the way from inner.
  bool spans_zero = false;  // The neighbours are -1 and +1; inner has the other sign.
};

/// Beyond every value: nearest, outward and stochastic rounding overflow.
Bracket beyond(int64_t limit) { return {limit, false, 1, ~uint64_t{0}, false}; }

/// Brackets m.significand * 2^m.exponent between multiples of 2^quantum.
/// Pre: m.log2 - quantum < 63.
Bracket bracket_multiples(Magnitude m, int quantum) {
  const int shift = quantum - m.exponent;
  if (shift <= 0) return {static_cast<int64_t>(m.significand << -shift), true, -1, 0, false};
  if (shift >= 64) {  // The significand has 53 bits: less than a half, whatever it is.
    const uint64_t share = shift - 64 < 64 ? (m.significand - 1) >> (shift - 64) : 0;
    return {0, false, -1, share, false};
  }
  const uint64_t rest = m.significand & ((uint64_t{1} << shift) - 1);
  const uint64_t half = uint64_t{1} << (shift - 1);
  const int against_tie = rest < half ? -1 : rest > half;
  return {static_cast<int64_t>(m.significand >> shift), rest == 0, against_tie,
          (rest << (64 - shift)) - 1, false};
}

/// The way from `low` to `high` that `value` has gone, as num / den < 1 exactly; den < 2^124.
struct Ratio {
  Wide num;
  Wide den;
};

/// Pre: 0 <= low < value < high; low is 0 or at least high * 2^-64.
Ratio ratio_between(double value, double low, double high) {
  const Magnitude v = magnitude_of(value);
  const Magnitude h = magnitude_of(high);
  if (v.log2 < h.log2 - 66) return {1, Wide{1} << 67};  // low is 0: any share under 2^-64.
  const Magnitude l = low == 0 ? v : magnitude_of(low);
  const int unit = std::min({v.exponent, l.exponent, h.exponent});
  const Wide base = low == 0 ? 0 : Wide{l.significand} << (l.exponent - unit);
  return {(Wide{v.significand} << (v.exponent - unit)) - base,
          (Wide{h.significand} << (h.exponent - unit)) - base};
}

/// ceil(2^64 * num / den) - 1, the last random word that goes outward.
uint64_t last_outer(Ratio ratio) {
  uint64_t quotient = 0;
  for (int bit = 0; bit < 64; ++bit) {
    ratio.num <<= 1;
    quotient <<= 1;
    if (ratio.num >= ratio.den) {
      ratio.num -= ratio.den;
      quotient |= 1;
    }
  }
  return ratio.num == 0 ? quotient - 1 : quotient;
}

int compare(Wide a, Wide b) { return a < b ? -1 : a > b; }

// ---- Floats ------------------------------------------------------------------------------------

/// Unsigned floats without a mantissa are the powers of two 2^(code - bias): no zero.
bool has_only_powers(const ElementFormat& f) { return !f.is_signed && f.mantissa_bits == 0; }

/// The largest magnitude index that is finite.
int64_t float_limit(const ElementFormat& f) {
  const int64_t all_ones = (int64_t{1} << (f.exponent_bits + f.mantissa_bits)) - 1;
  if (f.specials == Specials::kNone) return all_ones;
  if (f.specials == Specials::kNanOnly) return all_ones - 1;
  return (((int64_t{1} << f.exponent_bits) - 1) << f.mantissa_bits) - 1;
}

double decode_float_magnitude(const ElementFormat& f, int64_t index) {
  if (index > float_limit(f)) {
    const bool is_infinity = f.specials == Specials::kIeee && index == float_limit(f) + 1;
    return is_infinity ? std::numeric_limits<double>::infinity() : kNan;
  }
  if (has_only_powers(f)) return std::ldexp(1.0, static_cast<int>(index) - f.exponent_bias);
  const int64_t field = index >> f.mantissa_bits;
  const int64_t fraction = index & ((int64_t{1} << f.mantissa_bits) - 1);
  const int64_t significand = field == 0 ? fraction : fraction | int64_t{1} << f.mantissa_bits;
  const int exponent = field == 0 ? 1 : static_cast<int>(field);
  return std::ldexp(static_cast<double>(significand), exponent - f.exponent_bias - f.mantissa_bits);
}

Bracket bracket_float(const ElementFormat& f, double positive) {
  const Magnitude m = magnitude_of(positive);
  const int64_t limit = float_limit(f);
  const int least = (has_only_powers(f) ? 0 : 1) - f.exponent_bias;  // Of normal numbers, as log2.
  if (has_only_powers(f) && m.log2 < least) return {0, true, -1, 0, false};
  const int binade = f.exponent_bits == 0 ? least : std::max(m.log2, least);
  if (m.log2 - binade > 32) return beyond(limit);
  Bracket bracket = bracket_multiples(m, binade - f.mantissa_bits);
  bracket.inner += (static_cast<int64_t>(binade - least) << f.mantissa_bits) - has_only_powers(f);
  return bracket.inner > limit ? beyond(limit) : bracket;
}

/// The index nearest to a magnitude, ties to even, by arithmetic on a double's bits; beyond the
/// limit, any index beyond it. What bracket_float() would lead to, for the most common case.
/// Pre: exponent_bits > 0, the format has a zero, the magnitude is finite.
int64_t nearest_float_index(const ElementFormat& f, double magnitude) {
  const auto bits = std::bit_cast<uint64_t>(magnitude);
  const int drop = 52 - f.mantissa_bits;
  const int64_t bias_change = 1023 - f.exponent_bias;
  // Subnormal doubles, whose field is 0, lack the leading one that a carry relies on.
  if (static_cast<int64_t>(bits >> 52) > std::max<int64_t>(bias_change, 0)) {
    const uint64_t rounded = (bits + (uint64_t{1} << (drop - 1)) - 1 + (bits >> drop & 1)) >> drop;
    return static_cast<int64_t>(rounded) - (bias_change << f.mantissa_bits);
  }
  const Bracket bracket = bracket_float(f, magnitude);
  return bracket.inner +
         (bracket.against_tie > 0 || (bracket.against_tie == 0 && (bracket.inner & 1) != 0));
}

/// The code that stands for an overflow of that sign, or `limit` where there is none.
int64_t float_overflow_index(const ElementFormat& f, int64_t limit) {
  return f.specials == Specials::kNone ? limit : limit + 1;
}

int64_t float_nan_index(const ElementFormat& f) {
  const int64_t limit = float_limit(f);
  if (f.specials == Specials::kNanOnly) return limit + 1;
  if (f.specials == Specials::kNone || f.mantissa_bits == 0) return 0;
  return (limit + 1) | int64_t{1} << (f.mantissa_bits - 1);
}

// ---- Posits ------------------------------------------------------------------------------------

/// Pre: 0 < index < 2^(bits - 1).
double decode_posit_magnitude(const ElementFormat& f, int64_t index) {
  const int width = f.bits - 1;
  const auto string = static_cast<uint32_t>(index) << (32 - width);  // Left-aligned.
  const bool is_positive = (string >> 31) != 0;
  const int run = std::min(width, is_positive ? std::countl_one(string) : std::countl_zero(string));
  const int regime = is_positive ? run - 1 : -run;
  const int left = std::max(0, width - run - 1);
  const auto tail = static_cast<uint64_t>(index) & ((uint64_t{1} << left) - 1);
  const int exponent_left = std::min<int>(left, f.exponent_bits);
  const int fraction_bits = left - exponent_left;
  const int exponent = static_cast<int>(tail >> fraction_bits << (f.exponent_bits - exponent_left));
  const uint64_t fraction = tail & ((uint64_t{1} << fraction_bits) - 1);
  return std::ldexp(static_cast<double>(fraction | uint64_t{1} << fraction_bits),
                    regime * (1 << f.exponent_bits) + exponent - fraction_bits);
}

/// log2 of the largest posit; that of the least is its negative.
int posit_max_log2(const ElementFormat& f) { return (f.bits - 2) << f.exponent_bits; }

Bracket bracket_posit(const ElementFormat& f, double positive, bool is_stochastic) {
  const Magnitude m = magnitude_of(positive);
  const int64_t limit = (int64_t{1} << (f.bits - 1)) - 1;
  const int max_log2 = posit_max_log2(f);
  if (m.log2 >= max_log2) {
    const bool is_largest = positive == std::ldexp(1.0, max_log2);
    return is_largest ? Bracket{limit, true, -1, 0, false} : beyond(limit);
  }
  if (m.log2 < -max_log2) {  // Nearest rounding never underflows to zero.
    Bracket bracket = bracket_multiples(m, -max_log2);
    bracket.against_tie = 1;
    return bracket;
  }
  const int regime = m.log2 >> f.exponent_bits;
  const int exponent = m.log2 & ((1 << f.exponent_bits) - 1);
  const Wide regime_string = regime >= 0 ? (Wide{2} << (regime + 1)) - 2 : 1;
  const int regime_length = regime >= 0 ? regime + 2 : 1 - regime;
  // Magnitudes in this range are normal doubles: 52 fraction bits.
  const Wide string = (regime_string << f.exponent_bits | exponent) << 52 |
                      (m.significand & ((uint64_t{1} << 52) - 1));
  const int cut = regime_length + f.exponent_bits + 52 - (f.bits - 1);
  const Wide rest = string & ((Wide{1} << cut) - 1);
  Bracket bracket{static_cast<int64_t>(string >> cut), rest == 0,
                  compare(rest, Wide{1} << (cut - 1)), 0, false};
  if (is_stochastic && !bracket.is_exact) {
    bracket.last_outer =
        last_outer(ratio_between(positive, decode_posit_magnitude(f, bracket.inner),
                                 decode_posit_magnitude(f, bracket.inner + 1)));
  }
  return bracket;
}

// ---- Logarithmic numbers -----------------------------------------------------------------------

/// Index 0 is zero; index i > 0 has the base-2 logarithm (i - 2^(bits - 2)) / 2^mantissa_bits.
double decode_lns_magnitude(const ElementFormat& f, int64_t index) {
  if (index == 0) return 0;
  const int64_t logarithm = index - (int64_t{1} << (f.bits - 2));
  const int64_t fraction = logarithm & ((int64_t{1} << f.mantissa_bits) - 1);
  const double significand =
      internal::lns_significands()[fraction << (internal::kLnsTableBits - f.mantissa_bits)];
  return std::ldexp(significand, static_cast<int>(logarithm >> f.mantissa_bits));
}

Bracket bracket_lns(const ElementFormat& f, double positive, bool is_stochastic) {
  const int64_t limit = (int64_t{1} << (f.bits - 1)) - 1;
  const double largest = decode_lns_magnitude(f, limit);
  if (positive >= largest) return positive == largest ? Bracket{limit} : beyond(limit);
  Bracket bracket;
  if (positive >= decode_lns_magnitude(f, 1)) {
    const Magnitude m = magnitude_of(positive);
    const double significand = std::ldexp(positive, -m.log2);
    const auto table = internal::lns_significands();
    const int stride = 1 << (internal::kLnsTableBits - f.mantissa_bits);
    int64_t fraction = 0;
    for (int64_t step = int64_t{1} << f.mantissa_bits; (step /= 2) > 0;) {
      if (table[(fraction + step) * stride] <= significand) fraction += step;
    }
    bracket.inner =
        (static_cast<int64_t>(m.log2) << f.mantissa_bits) + fraction + (int64_t{1} << (f.bits - 2));
  }
  const double low = decode_lns_magnitude(f, bracket.inner);
  if (positive == low) return bracket;
  const Ratio ratio = ratio_between(positive, low, decode_lns_magnitude(f, bracket.inner + 1));
  bracket.is_exact = false;
  bracket.against_tie = compare(ratio.num * 2, ratio.den);
  if (is_stochastic) bracket.last_outer = last_outer(ratio);
  return bracket;
}

// ---- Integers ----------------------------------------------------------------------------------

/// The magnitudes 0, 2^-fraction_bits, ... up to `limit` of them.
Bracket bracket_fixed(double positive, int fraction_bits, int64_t limit) {
  const Magnitude m = magnitude_of(positive);
  if (m.log2 + fraction_bits > 32) return beyond(limit);
  const Bracket bracket = bracket_multiples(m, -fraction_bits);
  return bracket.inner > limit ? beyond(limit) : bracket;
}

/// The magnitudes 1, 3, 5, ...; a magnitude under 1 lies between -1 and +1, and goes outward to
/// the one of its own sign.
Bracket bracket_bipolar(const ElementFormat& f, double magnitude) {
  const int64_t limit = (int64_t{1} << (f.bits - 1)) - 1;
  if (magnitude < 1) {
    Bracket bracket{0, false, magnitude > 0, uint64_t{1} << 63, true};
    if (magnitude > 0)
      bracket.last_outer += bracket_multiples(magnitude_of(magnitude), 1).last_outer;
    else
      --bracket.last_outer;
    return bracket;
  }
  if (magnitude == 1) return {};
  if (magnitude > 0x1p32) return beyond(limit);
  const Bracket bracket = bracket_multiples(magnitude_of(magnitude - 1), 1);
  return bracket.inner > limit ? beyond(limit) : bracket;
}

// ---- All together ------------------------------------------------------------------------------

/// The number of bits of a magnitude index in the code of a sign-magnitude format.
int magnitude_bits(const ElementFormat& f) { return f.bits - (f.is_signed ? 1 : 0); }

/// The code of a magnitude index and a sign.
uint32_t compose(const ElementFormat& f, int64_t index, bool is_negative) {
  const auto code = static_cast<uint64_t>(index);
  const uint64_t mask = f.num_codes() - 1;
  const uint64_t sign = is_negative && f.is_signed ? uint64_t{1} << (f.bits - 1) : 0;
  switch (f.kind) {
    case ElementKind::kInt:
    case ElementKind::kTernary:
    case ElementKind::kPosit: return static_cast<uint32_t>((is_negative ? ~code + 1 : code) & mask);
    case ElementKind::kLns:
      return static_cast<uint32_t>(sign | (code ^ uint64_t{1} << (f.bits - 2)));
    case ElementKind::kBinary:
    case ElementKind::kBipolar: {
      const uint64_t middle = uint64_t{1} << (f.bits - 1);
      return static_cast<uint32_t>(is_negative ? middle - 1 - code : middle + code);
    }
    default: return static_cast<uint32_t>(sign | code);
  }
}

/// The largest magnitude index of that sign that stands for a finite value.
int64_t largest_index(const ElementFormat& f, bool is_negative) {
  const int64_t half = int64_t{1} << (f.bits - 1);
  switch (f.kind) {
    case ElementKind::kFloat: return float_limit(f);
    case ElementKind::kInt: return is_negative ? half : half - 1;
    case ElementKind::kUint: return 2 * half - 1;
    case ElementKind::kTernary: return 1;
    default: return half - 1;
  }
}

Bracket bracket_of(const ElementFormat& f, double magnitude, int64_t limit, bool is_stochastic) {
  if (f.kind == ElementKind::kBipolar || f.kind == ElementKind::kBinary) {
    return bracket_bipolar(f, magnitude);
  }
  if (magnitude == 0) return {};
  switch (f.kind) {
    case ElementKind::kFloat: return bracket_float(f, magnitude);
    case ElementKind::kPosit: return bracket_posit(f, magnitude, is_stochastic);
    case ElementKind::kLns: return bracket_lns(f, magnitude, is_stochastic);
    default: return bracket_fixed(magnitude, f.mantissa_bits, limit);
  }
}

/// Whether rounding leaves `b` for its outer neighbour.
bool goes_outward(const Bracket& b, RoundingMode mode, bool is_negative, bool inner_is_odd,
                  uint64_t random) {
  if (b.is_exact) return false;
  switch (mode) {
    case RoundingMode::kNearestEven:
      return b.against_tie > 0 || (b.against_tie == 0 && inner_is_odd);
    case RoundingMode::kNearestAway: return b.against_tie >= 0;
    case RoundingMode::kTowardZero: return b.spans_zero;
    case RoundingMode::kUp: return !is_negative;
    case RoundingMode::kDown: return is_negative;
    case RoundingMode::kToOdd: return !inner_is_odd;
    case RoundingMode::kStochastic: return random <= b.last_outer;
  }
  return false;
}

uint32_t encode_nan(const ElementFormat& f) {
  switch (f.kind) {
    case ElementKind::kFloat: return static_cast<uint32_t>(float_nan_index(f));
    case ElementKind::kPosit: return uint32_t{1} << (f.bits - 1);
    default: return compose(f, 0, false);  // Zero, or the least positive value.
  }
}

uint32_t encode_infinity(const ElementFormat& f, bool is_negative, Overflow overflow) {
  const int64_t limit = largest_index(f, is_negative);
  if (overflow == Overflow::kSpecial && f.kind == ElementKind::kPosit) return encode_nan(f);
  const bool is_special = overflow == Overflow::kSpecial && f.kind == ElementKind::kFloat;
  return compose(f, is_special ? float_overflow_index(f, limit) : limit, is_negative);
}

double decode_magnitude(const ElementFormat& f, int64_t index) {
  switch (f.kind) {
    case ElementKind::kFloat: return decode_float_magnitude(f, index);
    case ElementKind::kLns: return decode_lns_magnitude(f, index);
    case ElementKind::kPosit: return index == 0 ? 0 : decode_posit_magnitude(f, index);
    default: return std::ldexp(static_cast<double>(index), -f.mantissa_bits);
  }
}

}  // namespace

double decode(const ElementFormat& format, uint32_t code) {
  ANYBIT_DCHECK(code < format.num_codes());
  const uint64_t half = uint64_t{1} << (format.bits - 1);
  const bool top_bit = code >= half;
  switch (format.kind) {
    case ElementKind::kFloat: {
      const uint64_t mask = (uint64_t{1} << magnitude_bits(format)) - 1;
      const double magnitude = decode_float_magnitude(format, static_cast<int64_t>(code & mask));
      return format.is_signed && top_bit ? -magnitude : magnitude;
    }
    case ElementKind::kLns: {
      const uint64_t index = (code & (half - 1)) ^ half >> 1;
      const double magnitude = decode_lns_magnitude(format, static_cast<int64_t>(index));
      return top_bit ? -magnitude : magnitude;
    }
    case ElementKind::kPosit:
      if (code == 0) return 0;
      if (code == half) return kNan;
      return top_bit ? -decode_posit_magnitude(format, static_cast<int64_t>(2 * half - code))
                     : decode_posit_magnitude(format, code);
    case ElementKind::kTernary:
      if (code == 2) return kNan;
      [[fallthrough]];
    case ElementKind::kInt: {
      const int64_t value = static_cast<int64_t>(code) - (top_bit ? 2 * half : 0);
      return std::ldexp(static_cast<double>(value), -format.mantissa_bits);
    }
    case ElementKind::kUint: return std::ldexp(static_cast<double>(code), -format.mantissa_bits);
    case ElementKind::kBinary:
    case ElementKind::kBipolar: return 2.0 * code - static_cast<double>(2 * half - 1);
    case ElementKind::kCodebook:
    case ElementKind::kComplex: break;
  }
  ANYBIT_CHECK(false);  // The precondition: these kinds have no values of their own.
  return kNan;
}

uint32_t encode(const ElementFormat& format, double value, Rounding rounding, uint64_t random) {
  ANYBIT_CHECK(format.kind != ElementKind::kCodebook && format.kind != ElementKind::kComplex);
  if (std::isnan(value)) return encode_nan(format);
  const bool is_negative = std::signbit(value);
  if (is_negative && !format.is_signed) return compose(format, 0, false);
  if (std::isinf(value)) return encode_infinity(format, is_negative, rounding.overflow);
  const int64_t limit = largest_index(format, is_negative);
  const bool is_common = format.kind == ElementKind::kFloat &&
                         rounding.mode == RoundingMode::kNearestEven && format.exponent_bits > 0 &&
                         !has_only_powers(format) && value != 0;
  if (is_common) {
    const int64_t index = nearest_float_index(format, std::fabs(value));
    const int64_t overflow =
        rounding.overflow == Overflow::kSpecial ? float_overflow_index(format, limit) : limit;
    return compose(format, index <= limit ? index : overflow, is_negative);
  }
  const Bracket bracket =
      bracket_of(format, std::fabs(value), limit, rounding.mode == RoundingMode::kStochastic);
  const uint32_t inner = compose(format, bracket.inner, is_negative != bracket.spans_zero);
  if (!goes_outward(bracket, rounding.mode, is_negative, (inner & 1) != 0, random)) return inner;
  int64_t outer = bracket.spans_zero ? 0 : bracket.inner + 1;
  if (outer > limit) {
    const bool is_special =
        rounding.overflow == Overflow::kSpecial && format.kind == ElementKind::kFloat;
    outer = is_special ? float_overflow_index(format, limit) : limit;
  }
  return compose(format, outer, is_negative);
}

double max_finite(const ElementFormat& format) {
  const int64_t largest = largest_index(format, false);
  if (format.kind == ElementKind::kBinary || format.kind == ElementKind::kBipolar) {
    return static_cast<double>(2 * largest + 1);
  }
  return decode_magnitude(format, largest);
}

double min_positive(const ElementFormat& format) {
  if (format.kind == ElementKind::kBinary || format.kind == ElementKind::kBipolar) return 1;
  const bool has_zero = format.kind != ElementKind::kFloat || !has_only_powers(format);
  return largest_index(format, false) < 1 && has_zero ? 0 : decode_magnitude(format, has_zero);
}

}  // namespace anybit::numeric
