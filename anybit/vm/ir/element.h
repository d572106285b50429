// The element formats of tiles: every format of numeric/ plus 32-bit integers, which index and
// accumulate. A bool tile has elements of uint1.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "anybit/numeric/element_format.h"

namespace anybit::vm {

inline constexpr numeric::ElementFormat kInt32 = numeric::int_format(32);
inline constexpr numeric::ElementFormat kUint32 = numeric::uint_format(32);
inline constexpr numeric::ElementFormat kBool = numeric::uint_format(1);

/// The element of tiles of barriers (alloc_barrier): 64 bits that only barrier instructions use.
/// No text names it but the declaration of such a tile.
inline constexpr numeric::ElementFormat kBarrierElement = numeric::uint_format(64);

/// numeric::parse_element_format, and "int32", "uint32", "bool" (uint1).
/// Errors: kInvalidArgument.
Result<numeric::ElementFormat> parse_tile_element(std::string_view text);

/// The name that parses back; uint1 is "uint1".
std::string tile_element_name(const numeric::ElementFormat& format);

/// True for kInt, kUint (any width up to 32) without fraction bits.
bool is_integer_element(const numeric::ElementFormat& format);

/// True for f32, f16, bf16: what tiles compute in.
bool is_compute_float(const numeric::ElementFormat& format);

/// The exact value of a code; NaN for the unused ternary code 2. Pre: not a codebook, not complex.
double decode_element(const numeric::ElementFormat& format, uint32_t code);

/// numeric::encode, and 32-bit integers: rounded as asked, saturating, NaN gives 0.
uint32_t encode_element(const numeric::ElementFormat& format, double value,
                        numeric::Rounding rounding = {});

/// How `cast` rounds into `to`: to nearest even. What lies beyond the range becomes infinity, as
/// IEEE 754 says, where `to` has more than 8 bits and an infinity (f16, bf16, tf32, f32) unless
/// `saturate`; the largest number in every other format.
numeric::Rounding cast_rounding(const numeric::ElementFormat& to, bool saturate);

}  // namespace anybit::vm
