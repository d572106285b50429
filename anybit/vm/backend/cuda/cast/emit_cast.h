// Code generation of casts between element formats, on register tiles. A tile's part in one thread
// is a bit string in u32 words: element i of b bits is bits [i*b, (i+1)*b), word 0 first. The text
// calls only the device header (backend/cuda/device); it gives the same bits on a GPU and under
// the emulation. Which rule serves which pair of formats: docs/casts.md and the headers of
// internal/.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "anybit/base/result.h"
#include "anybit/numeric/element_format.h"

namespace anybit::vm::cuda {

/// Which element a code's place in the bit string belongs to.
enum class CodeOrder : uint8_t {
  kCanonical,    // Place i holds element i.
  kInterleaved,  // Place i holds element interleaved_order(bits, count)[i]: cheaper to widen.
};

struct CastOptions {
  CodeOrder order = CodeOrder::kCanonical;
  /// The caller vouches that no source code is NaN or infinite: their results are then
  /// unspecified, and formats that have them are as cheap as those that don't.
  bool assume_finite = false;
  /// Infinity and what lies beyond the range become the target's largest number in every format;
  /// else only in those of at most 8 bits (cast_rounding() of ir/element.h).
  bool saturate = false;
};

/// How a cast is done, from cheap to dear.
enum class CastMethod : uint8_t {
  kAffine,      // The code under the exponent of a power of two, one fma.
  kFloat,       // Sign, exponent and mantissa moved into place, one multiplication.
  kConversion,  // The GPU's own conversions, two elements at a time.
  kEncoding,    // Rounded by the adder, packed by additions.
  kWidening,    // Integers into wider ones: codes spread, signs extended.
  kLookup,      // At most 16 values in registers, looked up by prmt.
  kTable,       // A table in memory, one element at a time.
  kElement,     // One element at a time through f32.
};

struct CastCode {
  std::string text;  // The function, and tables before it.
  CastMethod method;
};

/// The permutation of CodeOrder::kInterleaved: order[place] = element. For 1, 2, 4 and 8 bits a
/// word's places take turns between its elements' even ones (lower half) and odd ones (upper half),
/// so that neighbours lie 16 bits apart; words that `count` does not fill, and other widths, keep
/// the canonical order.
/// Pre: 1 <= bits <= 32, count >= 0. Post: a permutation of 0..count-1.
std::vector<int64_t> interleaved_order(int bits, int64_t count);

/// Whether emit_cast() has a rule for the pair.
bool is_cast_supported(const numeric::ElementFormat& from, const numeric::ElementFormat& to);

/// AB_FN void NAME(const ab::u32 (&in)[W_in], ab::u32 (&out)[W_out]): out's element i is
/// numeric::encode(to, numeric::decode(from, in's element i), cast_rounding(to, saturate)): to
/// nearest, ties to even, -0 kept where the target has it; a NaN is some NaN of a target that has
/// one, else encode()'s choice. int32 and uint32 (numeric::int_format(32)) count as formats;
/// ternary's unused code 2 gives an unspecified value. Bits of `out` behind the last element are
/// unspecified.
/// Pre: count >= 1.
/// Errors: kUnsupported for a pair without a rule, naming it: complex2, codebooks (see
/// emit_codebook_cast), and posits, lns and floats beyond f32 of more than 8 bits.
Result<CastCode> emit_cast(const numeric::ElementFormat& from, const numeric::ElementFormat& to,
                           int64_t count, std::string_view function_name,
                           const CastOptions& options = {});

/// The text of emit_cast().
Result<std::string> emit_cast_function(const numeric::ElementFormat& from,
                                       const numeric::ElementFormat& to, int64_t count,
                                       std::string_view function_name);

/// Codebook codes of at most 8 bits to their 16-bit values:
/// AB_FN void NAME(const ab::u32 (&in)[W_in], ab::u32 (&out)[W_out], const ab::u32* codebook),
/// where codebook holds the 2^bits values, two a word, in any memory. Up to 4 bits the values
/// should be in registers (a local array): they are looked up without memory. The values' bits are
/// copied, whatever they mean (f16 or bf16). Pre: count >= 1. Errors: kUnsupported above 8 bits.
Result<std::string> emit_codebook_cast(int bits, int64_t count, std::string_view function_name);

}  // namespace anybit::vm::cuda
