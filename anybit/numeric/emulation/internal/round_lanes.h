// The rounding of one vector of floating-point numbers by integer arithmetic on their bits, written
// once for every lane type (scalar, AVX2; float, double). A lane type V provides
//   Bits, Word (the unsigned integer of one lane), kMantissaBits, kSignBit,
//   splat, add, sub, bit_and, bit_or, bit_andnot(mask, x) = ~mask & x, shift_left, shift_right
//   (logical, by lane; 0 if the count reaches the width), greater (signed; all ones if true),
//   equal, greater_unsigned, select(mask, yes, no), scaled_integer(k, scale): the bits
//   of k * scale, k < 2^25.
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

/// What a vector of magnitudes is before rounding: integers and how many of their bits to drop.
template <class V>
struct LaneNumbers {
  using Bits = typename V::Bits;
  Bits number;
  Bits drop;       // At most 5 over the mantissa's bits: there `number` is under half a unit.
  Bits full_drop;  // Without that bound.
  Bits is_low;     // Below plan.least_normal.
};

/// Normal numbers keep their exponent as part of the integer that is rounded: a carry out of the
/// mantissa then increments it. Lower ones are integers times a fixed power of two.
template <class V>
[[gnu::always_inline]] inline LaneNumbers<V> lane_numbers(typename V::Bits magnitude,
                                                          const RoundPlan<typename V::Word>& plan) {
  using Bits = typename V::Bits;
  using Word = typename V::Word;
  constexpr Word kMostDrop = V::kMantissaBits + 5;
  const Bits is_low = V::greater(V::splat(plan.least_normal), magnitude);
  const Bits field = V::shift_right(magnitude, V::splat(V::kMantissaBits));
  const Bits is_subnormal = V::equal(field, V::splat(0));
  const Bits fraction = V::bit_and(magnitude, V::splat((Word{1} << V::kMantissaBits) - 1));
  const Bits significand =
      V::bit_or(fraction, V::bit_andnot(is_subnormal, V::splat(Word{1} << V::kMantissaBits)));
  const Bits effective_field = V::select(is_subnormal, V::splat(1), field);
  const Bits low_drop =
      V::add(V::splat(plan.low_drop), V::sub(V::splat(plan.least_field), effective_field));
  const Bits full_drop = V::select(is_low, low_drop, V::splat(plan.drop));
  const Bits is_far = V::greater(full_drop, V::splat(kMostDrop));
  return {V::select(is_low, significand, magnitude),
          V::select(is_far, V::splat(kMostDrop), full_drop), full_drop, is_low};
}

/// The numbers shifted right by `drop` and rounded. `outward` becomes the lanes that leave the
/// range when they pass its end.
template <class V, EmulatedMode Mode>
[[gnu::always_inline]] inline typename V::Bits rounded_numbers(
    const LaneNumbers<V>& x, const RoundPlan<typename V::Word>& plan, typename V::Bits is_negative,
    typename V::Bits random, typename V::Bits& outward) {
  using Bits = typename V::Bits;
  using Word = typename V::Word;
  const Bits one = V::splat(1), zero = V::splat(0);
  const Bits unit = V::shift_left(one, x.drop);
  const Bits kept = V::shift_right(x.number, x.drop);
  outward = V::splat(~Word{0});
  if constexpr (Mode == EmulatedMode::kNearestEven || Mode == EmulatedMode::kNearestAway ||
                Mode == EmulatedMode::kNearestZero) {
    const Bits half = V::shift_right(unit, one);
    Bits addend = half;
    if constexpr (Mode == EmulatedMode::kNearestZero) addend = V::sub(half, one);
    if constexpr (Mode == EmulatedMode::kNearestEven) {
      Bits odd = V::bit_and(kept, one);
      if (plan.is_flushing) odd = V::bit_or(odd, V::bit_and(x.is_low, one));
      addend = V::add(V::sub(half, one), odd);
    }
    return V::shift_right(V::add(x.number, addend), x.drop);
  }
  const Bits rest = V::bit_and(x.number, V::sub(unit, one));
  const Bits is_exact = V::equal(rest, zero);
  if constexpr (Mode == EmulatedMode::kToOdd) {
    if (!plan.odd_overflows) outward = zero;
    return V::bit_or(kept, V::bit_andnot(is_exact, one));
  }
  if constexpr (Mode == EmulatedMode::kTowardZero) outward = zero;
  if constexpr (Mode == EmulatedMode::kUp) outward = V::bit_andnot(is_negative, outward);
  if constexpr (Mode == EmulatedMode::kDown) outward = is_negative;
  if constexpr (Mode == EmulatedMode::kCoinFlip) outward = V::greater(zero, random);
  Bits increment = V::bit_and(outward, one);
  if constexpr (Mode == EmulatedMode::kStochastic) {
    // random < rest * 2^(width - drop), also where drop passes the width.
    const Bits width = V::splat(V::kMantissaBits == 23 ? 32 : 64);
    const Bits near = V::sub(V::shift_left(rest, V::sub(width, x.full_drop)), one);
    const Bits far = V::shift_right(V::sub(rest, one), V::sub(x.full_drop, width));
    const Bits last = V::select(V::greater(x.full_drop, width), far, near);
    increment = V::bit_andnot(V::greater_unsigned(random, last), one);
  }
  return V::add(kept, V::bit_andnot(is_exact, increment));
}

/// Rounds `x`; `random` holds a 32-bit word in the top bits of each lane (random modes only).
template <class V, EmulatedMode Mode>
[[gnu::always_inline]] inline typename V::Bits round_lanes(typename V::Bits x,
                                                           const RoundPlan<typename V::Word>& plan,
                                                           typename V::Bits random) {
  using Bits = typename V::Bits;
  using Word = typename V::Word;
  constexpr Word kMagnitudeMask = static_cast<Word>(V::kSignBit - 1);
  constexpr Word kInfinityBits = static_cast<Word>(kMagnitudeMask >> V::kMantissaBits)
                                 << V::kMantissaBits;
  const Bits sign = V::bit_and(x, V::splat(V::kSignBit));
  const Bits magnitude = V::bit_and(x, V::splat(kMagnitudeMask));
  const Bits is_negative = V::equal(sign, V::splat(V::kSignBit));
  const LaneNumbers<V> numbers = lane_numbers<V>(magnitude, plan);
  Bits outward;
  const Bits rounded = rounded_numbers<V, Mode>(numbers, plan, is_negative, random, outward);
  // The mask keeps lanes that are not low, and will not be used, within scaled_integer()'s domain.
  const Bits low =
      V::scaled_integer(V::bit_and(rounded, V::splat((Word{1} << 25) - 1)), V::splat(plan.scale));
  Bits result = V::select(numbers.is_low, low, V::shift_left(rounded, numbers.drop));
  const Bits largest =
      V::select(is_negative, V::splat(plan.max_negative), V::splat(plan.max_positive));
  const Bits beyond =
      V::select(is_negative, V::splat(plan.overflow_negative), V::splat(plan.overflow_positive));
  const Bits overflows = V::greater(result, largest);
  result = V::select(overflows, V::select(outward, beyond, largest), result);
  // Infinity overflows outward in every mode; NaN stays.
  const Bits is_infinite = V::equal(magnitude, V::splat(kInfinityBits));
  result = V::select(is_infinite, beyond, result);
  Bits kept_sign = sign;
  if (!plan.keeps_sign) {
    result = V::bit_andnot(is_negative, result);
    kept_sign = V::splat(0);
  }
  if (!plan.keeps_minus_zero) kept_sign = V::bit_andnot(V::equal(result, V::splat(0)), kept_sign);
  result = V::bit_or(result, kept_sign);
  return V::select(V::greater(magnitude, V::splat(kInfinityBits)), x, result);
}

}  // namespace anybit::numeric::internal
