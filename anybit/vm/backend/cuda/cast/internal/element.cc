// The general ways, one element at a time. kTable: encode(to, decode(from, code)) of every code,
// made while generating. kElement: the source as f32, where it is exact, then one rounding.
//   float targets: rounding to nearest even of the bits of |x| at the mantissa's end (a carry moves
//     into the exponent by itself); below the least normal number, x + 2^k, k such that the sum's
//     last bit is the format's least subnormal: the adder rounds to nearest even.
//   integers: clamped, then x + 1.5 * 2^23, whose low bits are the rounded x in two's complement.
//   everything else of at most 8 bits: the numbers at which encode() changes its code, found by
//     bisection while generating, searched by halves.
// 32-bit integers that do not fit f32 are first rounded to odd at bit 8, which leaves every later
// rounding to 16 bits or less what it was.
#include <algorithm>
#include <bit>
#include <cmath>

#include "anybit/vm/backend/cuda/cast/internal/cast_text.h"
#include "anybit/vm/ir/element.h"

namespace anybit::vm::cuda::internal {
namespace {

using numeric::ElementFormat;
using numeric::ElementKind;

bool is_word_integer(const ElementFormat& f) {
  return f.bits == 32 && f.kind != ElementKind::kFloat;
}

bool has_only_powers(const ElementFormat& f) { return !f.is_signed && f.mantissa_bits == 0; }

/// The largest finite magnitude's code, without a sign.
uint32_t float_limit(const ElementFormat& f) {
  return numeric::encode(f, numeric::max_finite(f)) &
         ((1u << (f.exponent_bits + f.mantissa_bits)) - 1);
}

std::string float_text(double value) {
  return fmt::format("ab::bits_float({:#x}u)", std::bit_cast<uint32_t>(static_cast<float>(value)));
}

/// Whether f32 holds every value of f, and write_element() has a decoder.
bool has_decoder(const ElementFormat& f) {
  if (f.bits > 16) return f == numeric::kF32 || f == numeric::kTf32 || is_word_integer(f);
  switch (f.kind) {
    case ElementKind::kInt:
    case ElementKind::kUint:
    case ElementKind::kBipolar: return true;
    case ElementKind::kFloat: {
      if (f.exponent_bits > 8 || has_only_powers(f)) return false;
      if (127 - f.exponent_bias > 127 || 127 - f.exponent_bias < -126) return false;
      const double least = numeric::min_positive(f), largest = numeric::max_finite(f);
      // Read as f32, the topmost exponent must not be f32's.
      const bool is_f32_like = f.exponent_bits == 8;
      return least >= 0x1p-149 && largest <= numeric::max_finite(numeric::kF32) &&
             (!is_f32_like || (f.exponent_bias == 127 && f.specials == numeric::Specials::kIeee));
    }
    default: return false;
  }
}

/// The expression of a code's value, a float; `code` is a word without other bits.
std::string decoder(const ElementFormat& f, const std::string& code) {
  const double unit = std::ldexp(1.0, -f.mantissa_bits);
  switch (f.kind) {
    case ElementKind::kInt: {
      const int drop = 32 - f.bits;
      const std::string value =
          fmt::format("static_cast<float>(static_cast<ab::i32>({} << {}) >> {})", code, drop, drop);
      return f.mantissa_bits == 0 ? value : fmt::format("ab::mul({}, {})", value, float_text(unit));
    }
    case ElementKind::kUint: {
      const std::string value = fmt::format("static_cast<float>({})", code);
      return f.mantissa_bits == 0 ? value : fmt::format("ab::mul({}, {})", value, float_text(unit));
    }
    case ElementKind::kBipolar:
      return fmt::format("ab::sub(static_cast<float>(2 * {}), {})", code,
                         float_text(std::ldexp(1.0, f.bits) - 1));
    default: break;
  }
  return "";
}

void write_float_decoder(CastText& out, const std::string& name) {
  const ElementFormat& f = out.from();
  const int magnitude_bits = f.bits - f.is_signed;
  std::string text = fmt::format("AB_FN float {}(ab::u32 code) {{\n", name);
  text += fmt::format("  const ab::u32 magnitude = code & {:#x}u;\n", (1u << magnitude_bits) - 1);
  text += fmt::format("  const ab::u32 sign = {};\n",
                      f.is_signed ? fmt::format("code >> {} << 31", magnitude_bits) : "0u");
  if (f.specials != numeric::Specials::kNone) {
    const uint32_t limit = float_limit(f);
    if (f.specials == numeric::Specials::kIeee) {
      text += fmt::format("  if (magnitude == {:#x}u) return ab::bits_float(sign | 0x7f800000u);\n",
                          limit + 1);
    }
    text += fmt::format("  if (magnitude > {:#x}u) return ab::bits_float(0x7fffffffu);\n", limit);
  }
  text += fmt::format("  const float x = ab::bits_float(sign | magnitude << {});\n",
                      23 - f.mantissa_bits);
  text += f.exponent_bias == 127 ? std::string("  return x;\n}\n")
                                 : fmt::format("  return ab::mul(x, {});\n}}\n",
                                               float_text(std::ldexp(1.0, 127 - f.exponent_bias)));
  out.before(text);
}

/// Rounds to odd at bit 8 what is too large for f32.
constexpr std::string_view kWordDecoder = R"(AB_FN float {0}(ab::u32 code) {{
  const bool is_negative = {1};
  ab::u32 m = is_negative ? 0u - code : code;
  if (m >> 24 && (m & 0xffu)) m = (m | 0x100u) & ~0xffu;
  const float x = static_cast<float>(m);
  return is_negative ? ab::bits_float(ab::float_bits(x) ^ 0x80000000u) : x;
}}
)";

bool is_f32_rule(const ElementFormat& f) {
  return f.kind == ElementKind::kFloat && !has_only_powers(f) && f.exponent_bits <= 8 &&
         f.mantissa_bits <= 22 && f.exponent_bias >= -100 && f.exponent_bias <= 127 &&
         24 - f.exponent_bias - f.mantissa_bits >= -126;
}

bool has_encoder(const ElementFormat& f) {
  if (f == numeric::kF32 || is_word_integer(f)) return true;
  if (f.kind == ElementKind::kCodebook || f.kind == ElementKind::kComplex) return false;
  if (f.bits <= 8 || is_f32_rule(f)) return true;
  return f.kind == ElementKind::kInt || f.kind == ElementKind::kUint;
}

std::string float_encoder(const ElementFormat& f, bool saturate) {
  const int magnitude_bits = f.bits - f.is_signed, drop = 23 - f.mantissa_bits;
  std::string text = fmt::format("  if (magnitude > 0x7f800000u) return {:#x}u;\n",
                                 numeric::encode(f, std::nan("")));
  if (!f.is_signed) text += "  if (bits >> 31) return 0u;\n";
  const double least = std::ldexp(1.0, 1 - f.exponent_bias);
  const double magic = std::ldexp(1.0, 24 - f.exponent_bias - f.mantissa_bits);
  const auto bits_of = [](double x) { return std::bit_cast<uint32_t>(static_cast<float>(x)); };
  const std::string small =
      fmt::format("ab::float_bits(ab::add(ab::bits_float(magnitude), {})) - {:#x}u",
                  float_text(magic), bits_of(magic));
  // The code of infinity follows that of the largest number.
  const bool is_special = cast_rounding(f, saturate).overflow == numeric::Overflow::kSpecial;
  const uint32_t limit = float_limit(f) + (is_special ? 1 : 0);
  if (f.exponent_bits == 0) {
    const uint32_t largest = bits_of(numeric::max_finite(f));
    text += fmt::format("  magnitude = magnitude < {0:#x}u ? magnitude : {0:#x}u;\n", largest);
    text += fmt::format("  const ab::u32 index = {};\n", small);
  } else {
    const int64_t rebias = (int64_t{127} - f.exponent_bias) << f.mantissa_bits;
    text += fmt::format(
        "  const ab::u32 normal = (magnitude + {:#x}u + (magnitude >> {} & 1u)) >> {};\n",
        (1u << (drop - 1)) - 1, drop, drop);
    text += fmt::format("  ab::u32 index = magnitude < {:#x}u ? {} : normal - {:#x}u;\n",
                        bits_of(least), small, static_cast<uint32_t>(rebias));
    text += fmt::format("  index = index < {0:#x}u ? index : {0:#x}u;\n", limit);
  }
  return text + (f.is_signed ? fmt::format("  return index | bits >> 31 << {};\n", magnitude_bits)
                             : std::string("  return index;\n"));
}

std::string integer_encoder(const ElementFormat& f) {
  const double low = f.kind == ElementKind::kInt ? -std::ldexp(1.0, f.bits - 1) : 0;
  const double high = std::ldexp(1.0, f.kind == ElementKind::kInt ? f.bits - 1 : f.bits) - 1;
  std::string text = "  if (magnitude > 0x7f800000u) return 0u;\n";
  text += f.mantissa_bits == 0 ? std::string("  float s = x;\n")
                               : fmt::format("  float s = ab::mul(x, {});\n",
                                             float_text(std::ldexp(1.0, f.mantissa_bits)));
  text += fmt::format("  s = s < {0} ? {0} : s;\n", float_text(low));
  text += fmt::format("  s = s > {0} ? {0} : s;\n", float_text(high));
  return text + fmt::format("  return ab::float_bits(ab::add(s, {})) & {:#x}u;\n",
                            float_text(0x1.8p23), (1u << f.bits) - 1);
}

/// The order of f32 numbers as unsigned integers, -0 before +0.
float float_at(uint32_t key) { return std::bit_cast<float>(key >> 31 ? key ^ 0x80000000u : ~key); }

void find_changes(const ElementFormat& f, uint32_t low, uint32_t high, uint32_t low_code,
                  uint32_t high_code, std::vector<uint32_t>& begins, std::vector<uint32_t>& codes) {
  if (low_code == high_code) return;
  if (high - low == 1) {
    begins.push_back(high);
    codes.push_back(high_code);
    return;
  }
  const uint32_t middle = low + (high - low) / 2;
  const uint32_t code = numeric::encode(f, double{float_at(middle)});
  find_changes(f, low, middle, low_code, code, begins, codes);
  find_changes(f, middle, high, code, high_code, begins, codes);
}

std::string searching_encoder(CastText& out, const ElementFormat& f) {
  constexpr uint32_t kLow = 0x007fffff, kHigh = 0xff800000;  // The keys of the infinities.
  const uint32_t low_code = numeric::encode(f, double{float_at(kLow)});
  std::vector<uint32_t> begins = {0}, codes = {low_code};
  find_changes(f, kLow, kHigh, low_code, numeric::encode(f, double{float_at(kHigh)}), begins,
               codes);
  const size_t size = std::bit_ceil(begins.size());
  begins.resize(size, ~0u);
  codes.resize(size, codes.back());
  const std::string begin_table = out.table("ab::u32", begins);
  const std::string code_table = out.table("ab::u8", codes);
  std::string text = fmt::format("  if (magnitude > 0x7f800000u) return {:#x}u;\n",
                                 numeric::encode(f, std::nan("")));
  text += "  const ab::u32 key = bits >> 31 ? ~bits : bits ^ 0x80000000u;\n  ab::u32 at = 0;\n";
  for (size_t step = size / 2; step >= 1; step /= 2) {
    text += fmt::format("  at += {}[at + {}u] <= key ? {}u : 0u;\n", begin_table, step, step);
  }
  return text + fmt::format("  return {}[at];\n", code_table);
}

void write_encoder(CastText& out, const ElementFormat& f, const std::string& name,
                   const CastOptions& options) {
  std::string body;
  if (f == numeric::kF32) {
    if (options.saturate) body = "  if (magnitude == 0x7f800000u) return bits - 1u;\n";
    body += "  return bits;\n";
  } else if (f == numeric::kF16 || f == numeric::kBF16) {
    if (options.saturate) {  // NaN fails both comparisons and stays.
      const std::string largest = float_text(numeric::max_finite(f));
      const std::string least = float_text(-numeric::max_finite(f));
      body = fmt::format("  x = x > {0} ? {0} : x;\n  x = x < {1} ? {1} : x;\n", largest, least);
    }
    body += fmt::format("  return ab::f32_to_{}x2(x, 0.0f) & 0xffffu;\n",
                        f == numeric::kF16 ? "f16" : "bf16");
  } else if (is_word_integer(f)) {
    body = f.kind == ElementKind::kInt ? "  return static_cast<ab::u32>(ab::f32_to_i32_rn(x));\n"
                                       : "  return ab::f32_to_u32_rn(x);\n";
  } else if (is_f32_rule(f)) {
    body = float_encoder(f, options.saturate);
  } else if (f.kind == ElementKind::kInt || f.kind == ElementKind::kUint) {
    body = integer_encoder(f);
  } else {
    body = searching_encoder(out, f);
  }
  out.before(fmt::format("AB_FN ab::u32 {}(float x) {{\n  const ab::u32 bits = ab::float_bits(x);\n"
                         "  ab::u32 magnitude = bits & 0x7fffffffu;\n",
                         name) +
             body + "}\n");
}

/// The value of the element at `place` as a float.
std::string value_at(CastText& out, int64_t place, const std::string& decode_name) {
  const ElementFormat& f = out.from();
  const char* half = place % 2 == 0 ? "lo" : "hi";
  if (f == numeric::kF32) return fmt::format("ab::bits_float(in[{}])", place);
  if (f == numeric::kF16) return fmt::format("ab::f16_{}_to_f32(in[{}])", half, place / 2);
  if (f == numeric::kBF16) return fmt::format("ab::bf16_{}_to_f32(in[{}])", half, place / 2);
  if (f.kind == ElementKind::kFloat || is_word_integer(f)) {
    return fmt::format("{}({})", decode_name, out.code(place));
  }
  return decoder(f, out.code(place));
}

/// Writes out's words from the elements' codes.
template <class CodeAt>
void pack(CastText& out, int bits, const CodeAt& code_at) {
  const int64_t words = num_words(bits, out.count());
  std::vector<std::string> parts(static_cast<size_t>(words));
  const auto append = [&](int64_t word, const std::string& part) {
    std::string& text = parts[static_cast<size_t>(word)];
    text += text.empty() ? part : " | " + part;
  };
  int64_t written = 0;
  for (int64_t i = 0; i < out.count(); ++i) {
    const std::string code = out.word(code_at(i));
    const int64_t begin = i * bits, word = begin / 32, shift = begin % 32;
    append(word, shift == 0 ? code : fmt::format("{} << {}", code, shift));
    if (shift + bits > 32) append(word + 1, fmt::format("{} >> {}", code, 32 - shift));
    for (; written < (begin + bits) / 32; ++written) {
      out.line("out[{}] = {};", written, parts[static_cast<size_t>(written)]);
    }
  }
  for (; written < words; ++written) {
    out.line("out[{}] = {};", written, parts[static_cast<size_t>(written)]);
  }
}

}  // namespace

void write_table(CastText& out, const ElementFormat& to, const CastOptions& options) {
  const char* type = to.bits <= 8 ? "ab::u8" : to.bits <= 16 ? "ab::u16" : "ab::u32";
  const std::string table = out.table(type, cast_table(out.from(), to, options));
  pack(out, to.bits, [&](int64_t i) {
    return fmt::format("{}[{}]", table, out.code(place_of(out, options, i)));
  });
}

bool write_e8m0(CastText& out, const ElementFormat& to, const CastOptions& options) {
  if (out.from() != numeric::kE8M0 || (to != numeric::kF32 && to != numeric::kBF16)) return false;
  pack(out, to.bits, [&](int64_t i) {
    const std::string code = out.word(out.code(place_of(out, options, i)));
    return fmt::format("{0} == 0u ? {1:#x}u : {0} == 255u ? {2:#x}u : {0} << {3}", code,
                       numeric::encode(to, 0x1p-127), numeric::encode(to, std::nan("")),
                       to.mantissa_bits);
  });
  return true;
}

bool write_element(CastText& out, const ElementFormat& to, const CastOptions& options) {
  const ElementFormat& from = out.from();
  if (!has_decoder(from) || !has_encoder(to)) return false;
  const bool is_copy = from == to && is_word_integer(from);
  if (is_word_integer(from) && is_word_integer(to)) {  // Beyond f32: clamped as integers.
    pack(out, 32, [&](int64_t i) {
      if (is_copy) return fmt::format("in[{}]", i);
      const char* clamp = to.kind == ElementKind::kInt ? "0x7fffffffu" : "0u";
      return fmt::format("in[{0}] >> 31 ? {1} : in[{0}]", i, clamp);
    });
    return true;
  }
  const std::string decode_name = out.name() + "_decode", encode_name = out.name() + "_encode";
  if (is_word_integer(from) && to == numeric::kF32) {  // The conversion itself rounds.
    const char* type = from.kind == ElementKind::kInt ? "ab::i32" : "ab::u32";
    pack(out, 32, [&](int64_t i) {
      return fmt::format("ab::float_bits(static_cast<float>(static_cast<{}>(in[{}])))", type, i);
    });
    return true;
  }
  if (is_word_integer(from)) {
    out.before(fmt::format(fmt::runtime(kWordDecoder), decode_name,
                           from.kind == ElementKind::kInt ? "code >> 31" : "false"));
  } else if (from.kind == ElementKind::kFloat && from.bits != 32) {
    if (from != numeric::kF16 && from != numeric::kBF16) write_float_decoder(out, decode_name);
  }
  write_encoder(out, to, encode_name, options);
  pack(out, to.bits, [&](int64_t i) {
    return fmt::format("{}({})", encode_name, value_at(out, i, decode_name));
  });
  return true;
}

}  // namespace anybit::vm::cuda::internal
