// The rounding of one vector of floating-point numbers by integer arithmetic on their bits, written
// once for every lane type (scalar, AVX2; float, double). A lane type V provides
//   Bits, Word (the unsigned integer of one lane), kMantissaBits, kExponentBias, kSignBit,
//   splat, add, sub, bit_and, bit_or, bit_andnot(mask, x) = ~mask & x, shift_left, shift_right
//   (logical, by lane; 0 if the count reaches the width), greater (signed; all ones if true),
//   equal, greater_unsigned, select(mask, yes, no), scaled_integer(k, scale): bits of k * scale, k
//   < 2^23.
#pragma once

#include <cstdint>

#include "anybit/numeric/emulation/round_array.h"

namespace anybit::numeric::internal {

/// A format and a rounding as constants of the lane arithmetic. Magnitudes are bits of T.
template <class Word>
struct RoundPlan {
  Word drop;          // Mantissa bits that normal numbers lose.
  Word least_normal;  // Magnitudes below are rounded to multiples of `scale`.
  Word least_field;   // Exponent field of least_normal.
  Word low_drop;      // Bits lost at least_normal's own exponent when below it.
  Word scale;         // A float power of two.
  Word max_positive;  // Largest finite magnitudes.
  Word max_negative;
  Word overflow_positive;  // What an infinite magnitude and an overflow outward become.
  Word overflow_negative;
  bool is_flushing;    // Below least_normal only 0 and least_normal itself exist.
  bool odd_overflows;  // kToOdd leaves the largest finite value, whose code is even.
  bool keeps_minus_zero;
  bool keeps_sign;  // False: negative values go to zero.
};

/// Rounds `x`; `random` holds a 32-bit word in the top bits of each lane (random modes only).
template <class V, EmulatedMode kMode>
[[gnu::always_inline]] inline typename V::Bits round_lanes(typename V::Bits x,
                                                           const RoundPlan<typename V::Word>& plan,
                                                           typename V::Bits random) {
  using Bits = typename V::Bits;
  using Word = typename V::Word;
  constexpr Word kMagnitudeMask = static_cast<Word>(V::kSignBit - 1);
  constexpr Word kInfinityBits = static_cast<Word>(kMagnitudeMask >> V::kMantissaBits)
                                 << V::kMantissaBits;
  const Bits one = V::splat(1), zero = V::splat(0);
  const Bits sign = V::bit_and(x, V::splat(V::kSignBit));
  const Bits magnitude = V::bit_and(x, V::splat(kMagnitudeMask));
  const Bits is_negative = V::equal(sign, V::splat(V::kSignBit));

  // Normal numbers keep their exponent as part of the integer that is rounded: a carry out of the
  // mantissa then increments it. Lower ones are integers times a fixed power of two.
  const Bits is_low = V::greater(V::splat(plan.least_normal), magnitude);
  const Bits field = V::shift_right(magnitude, V::splat(V::kMantissaBits));
  const Bits is_subnormal = V::equal(field, zero);
  const Bits fraction = V::bit_and(magnitude, V::splat((Word{1} << V::kMantissaBits) - 1));
  const Bits significand =
      V::bit_or(fraction, V::bit_andnot(is_subnormal, V::splat(Word{1} << V::kMantissaBits)));
  const Bits effective_field = V::select(is_subnormal, one, field);
  const Bits full_drop =
      V::add(V::splat(plan.low_drop), V::sub(V::splat(plan.least_field), effective_field));
  const Bits number = V::select(is_low, significand, magnitude);
  // Beyond this the significand is less than half of what remains, and shifts stay in range.
  constexpr Word kMostDrop = V::kMantissaBits + 5;
  const Bits is_far = V::greater(full_drop, V::splat(kMostDrop));
  const Bits drop =
      V::select(is_low, V::select(is_far, V::splat(kMostDrop), full_drop), V::splat(plan.drop));

  const Bits unit = V::shift_left(one, drop);
  const Bits rest = V::bit_and(number, V::sub(unit, one));
  const Bits is_exact = V::equal(rest, zero);
  Bits outward = V::splat(~Word{0});  // Lanes that leave the range when they pass its end.
  Bits rounded;
  if constexpr (kMode == EmulatedMode::kNearestEven || kMode == EmulatedMode::kNearestAway ||
                kMode == EmulatedMode::kNearestZero) {
    const Bits half = V::shift_right(unit, one);
    Bits addend = half;
    if constexpr (kMode == EmulatedMode::kNearestZero) addend = V::sub(half, one);
    if constexpr (kMode == EmulatedMode::kNearestEven) {
      Bits odd = V::bit_and(V::shift_right(number, drop), one);
      if (plan.is_flushing) odd = V::bit_or(odd, V::bit_and(is_low, one));
      addend = V::add(V::sub(half, one), odd);
    }
    rounded = V::shift_right(V::add(number, addend), drop);
  } else if constexpr (kMode == EmulatedMode::kToOdd) {
    rounded = V::bit_or(V::shift_right(number, drop), V::bit_andnot(is_exact, one));
    if (!plan.odd_overflows) outward = zero;
  } else {
    if constexpr (kMode == EmulatedMode::kTowardZero) outward = zero;
    if constexpr (kMode == EmulatedMode::kUp) outward = V::bit_andnot(is_negative, outward);
    if constexpr (kMode == EmulatedMode::kDown) outward = is_negative;
    if constexpr (kMode == EmulatedMode::kCoinFlip) {
      outward = V::greater(zero, random);
    }
    Bits increment = V::bit_and(outward, one);
    if constexpr (kMode == EmulatedMode::kStochastic) {
      // random < rest * 2^(width - drop), also where drop passes the width.
      constexpr Word kWidth = V::kMantissaBits == 23 ? 32 : 64;
      const Bits exact_drop = V::select(is_low, full_drop, V::splat(plan.drop));
      const Bits near = V::sub(V::shift_left(rest, V::sub(V::splat(kWidth), exact_drop)), one);
      const Bits far = V::shift_right(V::sub(rest, one), V::sub(exact_drop, V::splat(kWidth)));
      const Bits last = V::select(V::greater(exact_drop, V::splat(kWidth)), far, near);
      increment = V::bit_andnot(V::greater_unsigned(random, last), one);
    }
    rounded = V::add(V::shift_right(number, drop), V::bit_andnot(is_exact, increment));
  }

  const Bits low =
      V::scaled_integer(V::bit_and(rounded, V::splat((Word{1} << 25) - 1)), V::splat(plan.scale));
  Bits result = V::select(is_low, low, V::shift_left(rounded, drop));
  const Bits largest =
      V::select(is_negative, V::splat(plan.max_negative), V::splat(plan.max_positive));
  const Bits beyond =
      V::select(is_negative, V::splat(plan.overflow_negative), V::splat(plan.overflow_positive));
  const Bits overflows = V::greater(result, largest);
  result = V::select(overflows, V::select(outward, beyond, largest), result);
  // Infinity overflows outward in every mode; NaN stays.
  const Bits is_infinite = V::equal(magnitude, V::splat(kInfinityBits));
  result = V::select(is_infinite, beyond, result);
  if (!plan.keeps_sign) result = V::bit_andnot(is_negative, result);
  Bits kept_sign = sign;
  if (!plan.keeps_sign) kept_sign = zero;
  if (!plan.keeps_minus_zero) kept_sign = V::bit_andnot(V::equal(result, zero), kept_sign);
  result = V::bit_or(result, kept_sign);
  return V::select(V::greater(magnitude, V::splat(kInfinityBits)), x, result);
}

}  // namespace anybit::numeric::internal
