// Rounding arrays of floats and doubles to the values of a narrower format, for numerical
// experiments: the results stay floats or doubles. Codes and packing: element_format.h.
#pragma once

#include <cstdint>
#include <span>

#include "anybit/numeric/element_format.h"
#include "anybit/numeric/rounding.h"

namespace anybit::numeric {

/// The modes of RoundingMode, and two more that only experiments want.
enum class EmulatedMode : uint8_t {
  kNearestEven,
  kNearestAway,
  kNearestZero,  // Ties toward zero.
  kTowardZero,
  kUp,
  kDown,
  kToOdd,
  kStochastic,  // Outward with probability equal to the share of the way.
  kCoinFlip,    // To either neighbour with probability 1/2, however near.
};

/// How an array is rounded.
struct EmulatedRounding {
  ElementFormat format = kF32;  // Neither kCodebook nor kComplex.
  EmulatedMode mode = EmulatedMode::kNearestEven;
  Overflow overflow = Overflow::kSpecial;
  /// False: what would be subnormal goes to zero or to the least normal number (nearest modes: at
  /// half of it or above; kNearestZero: above half; kToOdd: always). kFloat with exponent only.
  bool has_subnormals = true;
  uint64_t seed = 0;    // Of kStochastic and kCoinFlip.
  uint64_t stream = 0;  // Differs between operations of one experiment.
};

/// out[i] = values[i] rounded, bit for bit decode(encode(values[i])) but for NaN, which stays NaN
/// in every format. Element i uses the 32 random bits of emulated_random_word() with the index
/// first_index + i, so results do not depend on how an array is cut or on threads.
/// The overload for float rounds values of a format that are not floats (lns, exponents beyond
/// float's) once more, to the nearest float.
/// Pre: sizes agree; out is values itself or does not overlap it.
/// Source: Higham and Pranesh 2019, "Simulating low precision floating-point arithmetic".
void round_array(std::span<const float> values, const EmulatedRounding& rounding,
                 std::span<float> out, int64_t first_index = 0);
void round_array(std::span<const double> values, const EmulatedRounding& rounding,
                 std::span<double> out, int64_t first_index = 0);

/// The definition: one value, through encode() and decode().
double round_value_reference(double value, const EmulatedRounding& rounding, int64_t index);

/// Word index % 4 of Philox(seed, stream).words(index / 4).
uint32_t emulated_random_word(uint64_t seed, uint64_t stream, int64_t index);

/// Ways to compute round_array(); all give the same bits.
enum class RoundArrayPath : uint8_t { kReference, kPortable, kAvx2 };

/// round_array() by a named path, for tests and benchmarks. kReference is taken where a path does
/// not cover the format. Pre: kAvx2 only if the processor has it.
void round_array_by(RoundArrayPath path, std::span<const float> values,
                    const EmulatedRounding& rounding, std::span<float> out, int64_t first_index);
void round_array_by(RoundArrayPath path, std::span<const double> values,
                    const EmulatedRounding& rounding, std::span<double> out, int64_t first_index);

}  // namespace anybit::numeric
