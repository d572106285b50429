// Decoding of codes of at most 8 bits to f16 and bf16, two at a time, by bit rules.
//
// Two neighbours are brought into the 16-bit lanes of one word by one prmt, which takes for each
// lane the two bytes that hold its field: the field of lane i then lies at some bit o_i < 8.
//
// Integers: with u the field and E an exponent such that the last mantissa bit counts 2^0, the lane
// E | u << o is the number 2^p + u * 2^o (p = 10 for f16, 7 for bf16) as long as o + bits <= p. The
// value a * u + b is then fma(lane, a * 2^-o, b - a * 2^(p-o)), which rounds once and is exact.
//
// Floats: the magnitude (exponent and mantissa fields) is moved so that its mantissa ends where the
// lane's does. Read as an f16, the lane is value * 2^(bias - 15), subnormals included, so that one
// multiplication by 2^(15 - bias) gives the value exactly, or rounds once where f16 cannot hold it.
#include <algorithm>
#include <cmath>

#include "anybit/vm/backend/cuda/cast/internal/cast_writer.h"

namespace anybit::vm::cuda {
namespace {

using numeric::ElementFormat;
using numeric::ElementKind;
using numeric::Specials;

struct Lane16 {
  const char* name;
  int mantissa_bits;
  int bias;
  uint32_t unit_exponent;  // Of 2^mantissa_bits: the last mantissa bit counts 1.
};
constexpr Lane16 kLaneF16{"f16", 10, 15, 0x6400};
constexpr Lane16 kLaneBf16{"bf16", 7, 127, 0x4300};

const Lane16& lane_of(const ElementFormat& to) {
  return to == numeric::kF16 ? kLaneF16 : kLaneBf16;
}

/// The value is scale * u + offset, u being the code with `flip` xor'ed onto it.
struct AffineCode {
  bool is_affine = false;
  double scale = 1;
  double offset = 0;
  uint32_t flip = 0;
};

AffineCode affine_code(const ElementFormat& format) {
  const double unit = std::exp2(-format.mantissa_bits);
  const double half = std::exp2(format.bits - 1);
  switch (format.kind) {
    case ElementKind::kInt: return {true, unit, -half * unit, uint32_t{1} << (format.bits - 1)};
    case ElementKind::kUint: return {true, unit, 0, 0};
    case ElementKind::kTernary: return {true, 1, -2, 2};
    case ElementKind::kBinary: return {true, 2, -1, 0};
    case ElementKind::kBipolar: return {true, 2, -(2 * half - 1), 0};
    default: return {};
  }
}

uint32_t both(uint32_t low, uint32_t high) { return low | high << 16; }

/// Bits of a constant in the lane's format; nothing if it is not exact.
bool exact_bits(const ElementFormat& to, double value, uint32_t& bits) {
  bits = numeric::encode(to, value);
  return numeric::decode(to, bits) == value;
}

/// A word with the fields of elements 2j and 2j + 1 in its lanes, at bits o[0] and o[1].
struct Placed {
  std::string word;
  int o[2];
};

Placed place_pair(int64_t j, int bits, int64_t count) {
  const int64_t last = count - 1;
  const int64_t first_bit = 2 * j * bits, second_bit = std::min(2 * j + 1, last) * bits;
  const int64_t word = first_bit / 32, num_words = (count * bits + 31) / 32;
  Placed placed{"", {static_cast<int>(first_bit % 8), static_cast<int>(second_bit % 8)}};
  const bool has_next = word + 1 < num_words;
  uint32_t selector = 0;
  for (int lane = 0; lane < 2; ++lane) {
    const int64_t byte = (lane == 0 ? first_bit : second_bit) / 8 - word * 4;
    // The second byte of the lane is taken only if the field reaches into it.
    const int64_t next = placed.o[lane] + bits > 8 ? byte + 1 : byte;
    selector |= static_cast<uint32_t>(byte | next << 4) << (8 * lane);
  }
  placed.word = has_next ? fmt::format("ab::prmt(in[{}], in[{}], {:#x})", word, word + 1, selector)
                         : fmt::format("ab::prmt(in[{}], 0, {:#x})", word, selector);
  return placed;
}

/// Brings the fields down to bit 0 of their lanes if they lie too high; o becomes 0 then.
std::string lowered(CastWriter& out, Placed& placed, int64_t j, int bits, int limit) {
  const std::string name = fmt::format("p{}", j);
  out.line("const ab::u32 {} = {};", name, placed.word);
  if (std::max(placed.o[0], placed.o[1]) + bits <= limit) return name;
  const int shift = std::min(placed.o[0], placed.o[1]);
  if (shift > 0 && std::max(placed.o[0], placed.o[1]) - shift + bits <= limit) {
    placed.o[0] -= shift;
    placed.o[1] -= shift;
    out.line("const ab::u32 q{} = {} >> {};", j, name, shift);
    return fmt::format("q{}", j);
  }
  // Each lane by its own shift: lop3 takes the lower half of one and the upper half of the other.
  out.line("const ab::u32 q{0} = ab::lop3<0xe2>({1} >> {2}, 0xffffu, {1} >> {3});", j, name,
           placed.o[0], placed.o[1]);
  placed.o[0] = placed.o[1] = 0;
  return fmt::format("q{}", j);
}

}  // namespace

bool has_integer_pairs(const ElementFormat& from, const ElementFormat& to) {
  if (from.bits > 8 || (to != numeric::kF16 && to != numeric::kBF16)) return false;
  const AffineCode code = affine_code(from);
  const Lane16& lane = lane_of(to);
  uint32_t bits = 0;
  return code.is_affine && from.bits <= lane.mantissa_bits && exact_bits(to, code.scale, bits) &&
         exact_bits(to, code.offset - code.scale * std::exp2(lane.mantissa_bits), bits);
}

bool write_integer_pairs(CastWriter& out, const ElementFormat& from, const ElementFormat& to,
                         int64_t count) {
  const AffineCode code = affine_code(from);
  const Lane16& lane = lane_of(to);
  const uint32_t field = (uint32_t{1} << from.bits) - 1;
  for (int64_t j = 0; j < (count + 1) / 2; ++j) {
    Placed placed = place_pair(j, from.bits, count);
    const std::string word = lowered(out, placed, j, from.bits, lane.mantissa_bits);
    uint32_t mask[2], magic[2], scale[2], offset[2];
    for (int i = 0; i < 2; ++i) {
      mask[i] = field << placed.o[i];
      magic[i] = lane.unit_exponent | code.flip << placed.o[i];
      const double unit = std::exp2(-placed.o[i]);
      if (!exact_bits(to, code.scale * unit, scale[i]) ||
          !exact_bits(to, code.offset - code.scale * unit * std::exp2(lane.mantissa_bits),
                      offset[i])) {
        return false;
      }
    }
    // (word & mask) ^ magic: the exponent is set and the sign bit of an integer flipped at once.
    const std::string number = fmt::format("ab::lop3<0x6a>({}, {:#x}u, {:#x}u)", word,
                                           both(mask[0], mask[1]), both(magic[0], magic[1]));
    uint32_t one = 0;
    exact_bits(to, 1, one);
    if (scale[0] == one && scale[1] == one) {
      out.line("out[{}] = ab::{}x2_add({}, {:#x}u);", j, lane.name, number,
               both(offset[0], offset[1]));
    } else {
      out.line("out[{}] = ab::{}x2_fma({}, {:#x}u, {:#x}u);", j, lane.name, number,
               both(scale[0], scale[1]), both(offset[0], offset[1]));
    }
  }
  return true;
}

bool has_float_pairs(const ElementFormat& from, const ElementFormat& to) {
  if (from.kind != ElementKind::kFloat || from.bits > 8 ||
      (to != numeric::kF16 && to != numeric::kBF16)) {
    return false;
  }
  const Lane16& lane = lane_of(to);
  const int lane_exponent_bits = 15 - lane.mantissa_bits;
  const bool has_zero = from.is_signed || from.mantissa_bits > 0;
  if (!has_zero || from.exponent_bits > lane_exponent_bits ||
      from.mantissa_bits > lane.mantissa_bits || from.specials == Specials::kIeee) {
    return false;
  }
  // The factor must exist and no finite value may overflow: that would saturate.
  const int exponent = lane.bias - from.exponent_bias;
  return exponent <= lane.bias && exponent >= -14 &&
         numeric::max_finite(from) <= numeric::max_finite(to);
}

bool write_float_pairs(CastWriter& out, const ElementFormat& from, const ElementFormat& to,
                       int64_t count) {
  const Lane16& lane = lane_of(to);
  const int magnitude_bits = from.exponent_bits + from.mantissa_bits;
  const int lowest = lane.mantissa_bits - from.mantissa_bits;  // Where the mantissa ends.
  const uint32_t magnitude = ((uint32_t{1} << magnitude_bits) - 1) << lowest;
  const int sign_shift = 15 - (lowest + magnitude_bits);  // From above the magnitude to bit 15.
  const uint32_t factor = numeric::encode(to, std::exp2(lane.bias - from.exponent_bias));
  for (int64_t j = 0; j < (count + 1) / 2; ++j) {
    const Placed placed = place_pair(j, from.bits, count);
    out.line("const ab::u32 p{} = {};", j, placed.word);
    std::string moved[2];
    for (int i = 0; i < 2; ++i) {
      const int shift = lowest - placed.o[i];
      moved[i] = shift == 0  ? fmt::format("p{}", j)
                 : shift > 0 ? fmt::format("(p{} << {})", j, shift)
                             : fmt::format("(p{} >> {})", j, -shift);
    }
    std::string fields = moved[0];
    if (placed.o[0] != placed.o[1]) {
      // The lower lane of one shift and the upper lane of the other.
      out.line("const ab::u32 f{} = ab::lop3<0xe2>({}, 0xffffu, {});", j, moved[0], moved[1]);
      fields = fmt::format("f{}", j);
    } else {
      out.line("const ab::u32 f{} = {};", j, moved[0]);
      fields = fmt::format("f{}", j);
    }
    const std::string masked = fmt::format("{} & {:#x}u", fields, both(magnitude, magnitude));
    out.line("ab::u32 n{} = {};", j, masked);
    if (from.is_signed) {
      const std::string sign =
          sign_shift == 0 ? fields : fmt::format("({} << {})", fields, sign_shift);
      out.line("n{0} = ab::lop3<0xf8>(n{0}, {1}, 0x80008000u);", j, sign);
    }
    if (lane.bias == from.exponent_bias) {
      out.line("out[{0}] = n{0};", j);
    } else {
      out.line("out[{0}] = ab::{1}x2_mul(n{0}, {2:#x}u);", j, lane.name, both(factor, factor));
    }
    if (from.specials == Specials::kNanOnly) {
      // All ones plus one carries into the bit above the magnitude.
      const uint32_t one = uint32_t{1} << lowest, carry = uint32_t{1} << (lowest + magnitude_bits);
      out.line("out[{0}] |= ((({1}) + {2:#x}u & {3:#x}u) >> {4}) * 0x7fffu;", j, masked,
               both(one, one), both(carry, carry), lowest + magnitude_bits);
    }
  }
  return true;
}

}  // namespace anybit::vm::cuda
