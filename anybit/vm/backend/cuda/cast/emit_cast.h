// Casts between element formats on the bit strings that threads hold, as device functions. Elements
// of at most 8 bits become f16 and bf16 two at a time, by moving their fields into place: no
// element passes through f32 unless the table below says so (docs/casts.md).
#pragma once

#include <string>
#include <string_view>

#include "anybit/base/result.h"
#include "anybit/numeric/element_format.h"

namespace anybit::vm::cuda {

/// How a pair of formats is cast.
enum class CastPath : uint8_t {
  kCopy,          // The same format.
  kIntegerPairs,  // Affine in the code: a magic exponent, one fused multiply-add a pair.
  kFloatPairs,    // Sign and magnitude fields moved into 16-bit lanes, one multiply a pair.
  kHalfToFloat,   // f16 or bf16 to f32.
  kFloatToHalf,   // f32 to f16 or bf16.
  kIntegers,      // Between integers: saturating.
  kByElement,     // Each element through f32, exactly.
};
CastPath cast_path(const numeric::ElementFormat& from, const numeric::ElementFormat& to);
std::string_view cast_path_name(CastPath path);

/// The text of AB_FN void NAME(const ab::u32 (&in)[W], ab::u32 (&out)[V]) that casts `count` packed
/// elements: out[i] = encode(to, decode(from, in[i])), rounded to nearest even, saturating; bits
/// beyond the last element are 0 or copies. NaN results may have another NaN's bits.
/// Errors: kUnsupported for codebook and complex elements, which have no values of their own.
Result<std::string> emit_cast_function(const numeric::ElementFormat& from,
                                       const numeric::ElementFormat& to, int64_t count,
                                       std::string_view name);

}  // namespace anybit::vm::cuda
