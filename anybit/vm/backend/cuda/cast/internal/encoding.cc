// f32, f16 and bf16 into integers and floats of at most 8 bits without a branch or a comparison:
// the float adder rounds, to nearest even. |x| is bounded by the largest number first. Then, of
//   integers: x + 2^23 * 1.5 + 2^(b-1), whose last bits count from the least number;
//   floats of at most 3 binades (e1m<y>, e2m<y>): for each binade j the line a / (its quantum) +
//     j * 2^m, rounded; the code is their minimum, for the value is concave in the code's number;
//   other floats: E = a's power of two, at least the least normal number; a + E * 2^(23-m) ends at
//     a's last bit in the format, and E's own bits say how many codes lie below E;
//   e8m0: the bits of a, rounded at the exponent's end as an integer.
// Each way leaves a code plus a constant in a word. Codes of a word are added up, each next one
// shifted by its width, and the constants are subtracted from the sum at once. Signs of floats are
// shifted in below their codes, and put above them for a whole word.
// NaN is bounded like a number, so that it cannot reach its neighbours; where its code is another,
// one test for all elements leads to a repair of those that are NaN.
#include <bit>
#include <cmath>

#include "anybit/vm/backend/cuda/cast/internal/cast_text.h"

namespace anybit::vm::cuda::internal {
namespace {

using numeric::ElementFormat;
using numeric::ElementKind;

uint32_t bits_of(double x) { return std::bit_cast<uint32_t>(static_cast<float>(x)); }

std::string literal(double x) { return fmt::format("ab::bits_float({:#x}u)", bits_of(x)); }

/// How the elements of a format are encoded.
enum class Way : uint8_t { kNone, kInteger, kLines, kPowers, kScale };

struct Encoding {
  Way way = Way::kNone;
  ElementFormat to;
  int binades = 0;           // kLines: those above the first.
  uint32_t added = 0;        // What stands above the code.
  bool has_sign = false;     // The field is the code, then the sign.
  uint32_t nan_becomes = 0;  // The code that a NaN gets without a repair.
};

/// The quantum of the least numbers, and the least normal number.
double quantum(const ElementFormat& f) {
  return std::ldexp(1.0, 1 - f.exponent_bias - f.mantissa_bits);
}
double least_normal(const ElementFormat& f) { return std::ldexp(1.0, 1 - f.exponent_bias); }

Encoding float_encoding(const ElementFormat& to) {
  Encoding e{Way::kLines, to};
  const double largest = numeric::max_finite(to);
  const int shift = 23 - to.mantissa_bits;
  // Beyond these, the constants below leave f32.
  const bool is_far = std::abs(to.exponent_bias) > 60 || largest >= 0x1p60;
  if (to == numeric::kE8M0) {
    e.way = Way::kScale;
    return e;
  }
  if (to.mantissa_bits == 0 || is_far) return {};
  e.has_sign = to.is_signed;
  e.binades = to.exponent_bits == 0 ? 0 : std::max(0, std::ilogb(largest / least_normal(to)));
  e.added = 0x4b000000;
  if (e.binades > 2) {
    e.way = Way::kPowers;
    e.added = (static_cast<uint32_t>(shift) << 23) + (bits_of(least_normal(to)) >> shift);
  }
  e.nan_becomes = to.is_signed ? numeric::encode(to, largest) : 0;
  return e;
}

Encoding encoding_of(const ElementFormat& to) {
  if (to.bits > 8) return {};
  if (to.kind == ElementKind::kFloat) return float_encoding(to);
  const bool is_signed = to.kind == ElementKind::kInt;
  if (!is_signed && to.kind != ElementKind::kUint) return {};
  if (is_signed && to.bits == 1) return {};  // Its least number is odd: ties would go to odd.
  return {Way::kInteger, to, 0, 0x4b400000, false, is_signed ? uint32_t{1} << (to.bits - 1) : 0};
}

/// Writes the word of element x: its code, `added` above it.
std::string write_code(CastText& out, const Encoding& e, const std::string& x) {
  const ElementFormat& to = e.to;
  const std::string largest = literal(numeric::max_finite(to));
  if (e.way == Way::kInteger) {
    const int steps = to.kind == ElementKind::kInt ? 1 << (to.bits - 1) : 0;
    const double unit = std::ldexp(1.0, -to.mantissa_bits);
    const std::string bounded =
        fmt::format("ab::min(ab::max({}, {}), {})", x, literal(-steps * unit), largest);
    const std::string base = literal(0x1.8p23 + steps);
    return out.word(
        to.mantissa_bits == 0
            ? fmt::format("ab::float_bits(ab::add({}, {}))", bounded, base)
            : fmt::format("ab::float_bits(ab::fma({}, {}, {}))", bounded, literal(1 / unit), base));
  }
  const std::string least = e.way == Way::kScale ? literal(0x1p-127) : "0.0f";
  const std::string a =
      out.number(to.is_signed ? fmt::format("ab::min(ab::abs({}), {})", x, largest)
                              : fmt::format("ab::min(ab::max({}, {}), {})", x, least, largest));
  if (e.way == Way::kLines) {
    std::string code;
    for (int j = 0; j <= e.binades; ++j) {
      const std::string line =
          out.number(fmt::format("ab::fma({}, {}, {})", a, literal(std::ldexp(1 / quantum(to), -j)),
                                 literal(0x1p23 + std::ldexp(j, to.mantissa_bits))));
      code = code.empty() ? line : out.number(fmt::format("ab::min({}, {})", code, line));
    }
    return out.word(fmt::format("ab::float_bits({})", code));
  }
  if (e.way == Way::kScale) {
    // The numbers below the least normal one are a power of two too, without its implicit bit.
    const std::string bits = out.word(fmt::format("ab::float_bits({})", a));
    const std::string even = out.word(fmt::format("ab::min_u32(2u * {0} - 0x800000u, {0})", bits));
    return out.word(fmt::format("({0} + 0x3fffffu + ({0} >> 23 & 1u)) >> 23", even));
  }
  const int shift = 23 - to.mantissa_bits;
  const std::string power =
      out.number(fmt::format("ab::max(ab::bits_float(ab::float_bits({}) & 0x7f800000u), {})", a,
                             literal(least_normal(to))));
  const std::string sum =
      out.number(fmt::format("ab::fma({}, {}, {})", power, literal(std::ldexp(1.0, shift)), a));
  return out.word(
      fmt::format("ab::float_bits({0}) - ab::float_bits({1}) + "
                  "(ab::float_bits({1}) >> {2})",
                  sum, power, shift));
}

/// The value as a float variable.
std::string value_of_element(CastText& out, int64_t i) {
  if (out.from() == numeric::kF32) return out.number(fmt::format("ab::bits_float(in[{}])", i));
  const char* prefix = out.from() == numeric::kF16 ? "f16" : "bf16";
  return out.number(
      fmt::format("ab::{}_{}_to_f32(in[{}])", prefix, i % 2 == 0 ? "lo" : "hi", i / 2));
}

/// `field` in each of `count` places of `bits` bits.
uint32_t in_every_place(uint32_t field, int bits, int64_t count) {
  uint32_t result = 0;
  for (int64_t i = 0; i < count; ++i) result += field << (bits * i);
  return result;
}

/// The codes of elements `values`, packed from bit 0 of a word. Pre: they fit.
std::string write_group(CastText& out, const Encoding& e, const std::vector<std::string>& values) {
  const int bits = e.to.bits;
  const auto count = static_cast<int64_t>(values.size());
  std::string sum;
  for (size_t i = values.size(); i-- > 0;) {
    std::string field = write_code(out, e, values[i]);
    if (e.has_sign) {
      field = fmt::format("ab::funnel_left(ab::float_bits({}), {}, 1)", values[i], field);
    }
    sum = out.word(sum.empty() ? field : fmt::format("({} << {}) + {}", sum, bits, field));
  }
  const uint32_t added = in_every_place(e.has_sign ? 2 * e.added : e.added, bits, count);
  if (added != 0) sum = out.word(fmt::format("{} - {:#x}u", sum, added));
  const uint32_t top = in_every_place(1u << (bits - 1), bits, count);
  if (e.has_sign) {
    const uint32_t below = in_every_place((1u << (bits - 1)) - 1, bits, count);
    sum = out.word(
        fmt::format("({0} >> 1 & {1:#x}u) | ({0} << {2} & {3:#x}u)", sum, below, bits - 1, top));
  } else if (e.to.kind == ElementKind::kInt) {
    sum = out.word(fmt::format("{} ^ {:#x}u", sum, top));
  }
  return sum;
}

/// Gives the elements that are NaN their code.
void write_nan_repair(CastText& out, const Encoding& e, const std::vector<std::string>& values) {
  const int bits = e.to.bits;
  const uint32_t code = numeric::encode(e.to, std::nan("")), mask = (1u << bits) - 1;
  std::string any;
  for (size_t i = 0; i < values.size(); i += 2) {
    any += fmt::format("{}ab::is_any_nan({}, {})", i == 0 ? "" : " | ", values[i],
                       values[std::min(i + 1, values.size() - 1)]);
  }
  out.line("if ({}) {{", any);
  for (size_t i = 0; i < values.size(); ++i) {
    const size_t begin = i * static_cast<size_t>(bits), word = begin / 32, shift = begin % 32;
    const auto replace = [&](size_t w, uint64_t kept, uint64_t set) {
      out.line("  if ({0} != {0}) out[{1}] = (out[{1}] & {2:#x}u) | {3:#x}u;", values[i], w,
               static_cast<uint32_t>(~kept), static_cast<uint32_t>(set));
    };
    replace(word, uint64_t{mask} << shift, uint64_t{code} << shift);
    if (shift + static_cast<size_t>(bits) > 32) {
      replace(word + 1, mask >> (32 - shift), code >> (32 - shift));
    }
  }
  out.line("}}");
}

}  // namespace

bool write_encoding(CastText& out, const ElementFormat& to, const CastOptions& options) {
  const ElementFormat& from = out.from();
  if (from != numeric::kF32 && from != numeric::kF16 && from != numeric::kBF16) return false;
  const Encoding e = encoding_of(to);
  if (e.way == Way::kNone) return false;
  std::vector<std::string> values;
  for (int64_t i = 0; i < out.count(); ++i) values.push_back(value_of_element(out, i));
  const int64_t per_group = 32 / to.bits, words = num_words(to.bits, out.count());
  std::vector<std::string> parts(static_cast<size_t>(words));
  const auto append = [&](int64_t word, const std::string& part) {
    std::string& text = parts[static_cast<size_t>(word)];
    text += text.empty() ? part : " | " + part;
  };
  for (int64_t i = 0; i < out.count(); i += per_group) {
    const int64_t end = std::min(i + per_group, out.count());
    const std::string group = write_group(out, e, {values.begin() + i, values.begin() + end});
    const int64_t word = i * to.bits / 32, shift = i * to.bits % 32;
    append(word, shift == 0 ? group : fmt::format("{} << {}", group, shift));
    if (shift + (end - i) * to.bits > 32) {
      append(word + 1, fmt::format("{} >> {}", group, 32 - shift));
    }
  }
  for (int64_t w = 0; w < words; ++w) {
    out.line("out[{}] = {};", w, parts[static_cast<size_t>(w)]);
  }
  const bool is_nan_right = numeric::encode(to, std::nan("")) == e.nan_becomes;
  if (!options.assume_finite && !is_nan_right) write_nan_repair(out, e, values);
  return true;
}

}  // namespace anybit::vm::cuda::internal
