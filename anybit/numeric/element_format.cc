#include "anybit/numeric/element_format.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <iterator>
#include <optional>

#include "anybit/base/check.h"

namespace anybit::numeric {
namespace {

constexpr FormatFamily kFamilies[] = {
    {"int<n>", "two's complement integers of 1 to 16 bits", "int4"},
    {"int<n>f<k>", "fixed point: int<n> times 2^-k", "int8f6"},
    {"uint<n>", "unsigned integers of 1 to 16 bits", "uint4"},
    {"uint<n>f<k>", "unsigned fixed point: uint<n> times 2^-k", "uint8f4"},
    {"e<x>m<y>[b<bias>][fin|fn|ieee]",
     "floats: sign, x exponent and y mantissa bits, subnormals; all finite, NaN only, or IEEE",
     "e3m2"},
    {"ue<x>m<y>[b<bias>][fin|fn|ieee]", "floats without a sign", "ue4m3"},
    {"ue<x>m0", "powers of two, no zero", "ue5m0"},
    {"e8m0", "the scale of OCP Microscaling: powers of two and NaN, no sign, no zero", "e8m0"},
    {"bf16", "bfloat16: e8m7ieee", "bf16"},
    {"f16", "IEEE binary16: e5m10ieee", "f16"},
    {"tf32", "TensorFloat-32, in 19 bits", "tf32"},
    {"f32", "IEEE binary32", "f32"},
    {"posit<n>_<es>", "posits of 2 to 16 bits with es exponent bits", "posit8_1"},
    {"lns<n>_<f>", "logarithmic: sign and log2 with f fraction bits, n bits in all", "lns8_3"},
    {"binary", "-1 and +1 in one bit", "binary"},
    {"ternary", "-1, 0 and +1 in two bits", "ternary"},
    {"bipolar<n>", "odd integers from -(2^n - 1) to 2^n - 1", "bipolar3"},
    {"codebook<n>", "an index into 2^n values that the tensor carries", "codebook4"},
    {"complex2", "+1, +i, -1, -i: two bits for two elements", "complex2"},
};

constexpr int kMaxFractionBits = 30;
constexpr int kMaxPositEs = 6;

struct NamedFormat {
  std::string_view name;
  ElementFormat format;
};

/// Formats whose names are not made of their fields.
constexpr NamedFormat kNamed[] = {
    {"f32", kF32},
    {"tf32", kTf32},
    {"f16", kF16},
    {"bf16", kBF16},
    {"e8m0", kE8M0},
    {"binary", {ElementKind::kBinary, 1, 0, 0, 0, Specials::kNone, true}},
    {"ternary", {ElementKind::kTernary, 2, 0, 0, 0, Specials::kNone, true}},
    {"complex2", {ElementKind::kComplex, 2, 0, 0, 0, Specials::kNone, true}},
};

/// Reads a name from the front.
class Cursor {
 public:
  explicit Cursor(std::string_view text) : rest_(text) {}

  bool take(std::string_view word) {
    if (!rest_.starts_with(word)) return false;
    rest_.remove_prefix(word.size());
    return true;
  }

  /// A decimal number without leading zeros, at most 4 digits.
  std::optional<int> number() {
    size_t digits = 0;
    while (digits < rest_.size() && std::isdigit(static_cast<unsigned char>(rest_[digits]))) {
      ++digits;
    }
    if (digits == 0 || digits > 4 || (digits > 1 && rest_[0] == '0')) return std::nullopt;
    int value = 0;
    for (size_t i = 0; i < digits; ++i) value = value * 10 + (rest_[i] - '0');
    rest_.remove_prefix(digits);
    return value;
  }

  bool at_end() const { return rest_.empty(); }

 private:
  std::string_view rest_;
};

int default_bias(int exponent_bits) {
  return exponent_bits == 0 ? 0 : (1 << (exponent_bits - 1)) - 1;
}

/// The specials a float of these fields has when its name says nothing.
Specials default_specials(const ElementFormat& f) {
  if (f.exponent_bits == 4 && f.mantissa_bits == 3) return Specials::kNanOnly;
  if (f.exponent_bits == 5 && f.mantissa_bits == 2 && f.is_signed) return Specials::kIeee;
  if (f.exponent_bits == 8 && f.mantissa_bits == 0 && !f.is_signed) return Specials::kNanOnly;
  return Specials::kNone;
}

std::string_view suffix_of(Specials specials) {
  switch (specials) {
    case Specials::kNone: return "fin";
    case Specials::kNanOnly: return "fn";
    case Specials::kIeee: return "ieee";
  }
  return "";
}

tl::unexpected<Error> unknown_name(std::string_view text) {
  std::string patterns;
  for (const FormatFamily& family : kFamilies) {
    patterns += patterns.empty() ? "" : ", ";
    patterns += family.pattern;
  }
  return fail(ErrorCode::kInvalidArgument, "element format: expected one of {}; found \"{}\"",
              patterns, text);
}

Status check_range(std::string_view text, std::string_view field, int found, int least, int most) {
  if (found >= least && found <= most) return {};
  return fail(ErrorCode::kInvalidArgument, "element format \"{}\": {} must be {} to {}, found {}",
              text, field, least, most, found);
}

/// Whether every finite value is a double and at least one is positive.
Status check_float_values(std::string_view text, const ElementFormat& f) {
  const int64_t top_field = (int64_t{1} << f.exponent_bits) - 1;
  const bool top_is_special =
      f.specials == Specials::kIeee || (f.specials == Specials::kNanOnly && f.mantissa_bits == 0);
  const int64_t max_log2 = top_field - (top_is_special ? 1 : 0) - f.exponent_bias;
  const int64_t min_log2 = 1 - f.exponent_bias - f.mantissa_bits;
  if (max_log2 > 1023 || min_log2 < -1074) {
    return fail(ErrorCode::kInvalidArgument,
                "element format \"{}\": values must lie between 2^-1074 and 2^1024 (those of a "
                "double), found 2^{} to 2^{}",
                text, min_log2, max_log2 + 1);
  }
  if (f.exponent_bits + f.mantissa_bits == 0 || max_finite(f) <= 0) {
    return fail(ErrorCode::kInvalidArgument,
                "element format \"{}\": expected a format with a positive finite value", text);
  }
  return {};
}

/// After "e" or "ue".
Result<ElementFormat> parse_float(std::string_view text, Cursor cursor, bool is_signed) {
  const std::optional<int> exponent_bits = cursor.number();
  if (!exponent_bits || !cursor.take("m")) return unknown_name(text);
  const std::optional<int> mantissa_bits = cursor.number();
  if (!mantissa_bits) return unknown_name(text);
  const int bits = *exponent_bits + *mantissa_bits + (is_signed ? 1 : 0);
  ANYBIT_TRY(check_range(text, "bits (sign, exponent and mantissa)", bits, 1, 16));
  ElementFormat f{ElementKind::kFloat,
                  static_cast<uint8_t>(bits),
                  static_cast<uint8_t>(*exponent_bits),
                  static_cast<uint8_t>(*mantissa_bits),
                  static_cast<int16_t>(default_bias(*exponent_bits)),
                  Specials::kNone,
                  is_signed};
  f.specials = default_specials(f);
  if (cursor.take("b")) {
    const bool is_negative = cursor.take("-");
    const std::optional<int> bias = cursor.number();
    if (!bias) return unknown_name(text);
    f.exponent_bias = static_cast<int16_t>(is_negative ? -*bias : *bias);
  }
  for (const Specials s : {Specials::kNone, Specials::kNanOnly, Specials::kIeee}) {
    if (cursor.take(suffix_of(s))) {
      f.specials = s;
      break;
    }
  }
  if (!cursor.at_end()) return unknown_name(text);
  if (f.specials == Specials::kIeee && f.exponent_bits == 0) {
    return fail(ErrorCode::kInvalidArgument,
                "element format \"{}\": ieee needs an exponent, found 0 exponent bits", text);
  }
  ANYBIT_TRY(check_float_values(text, f));
  return f;
}

/// After "int" or "uint".
Result<ElementFormat> parse_integer(std::string_view text, Cursor cursor, bool is_signed) {
  const std::optional<int> bits = cursor.number();
  const std::optional<int> fraction_bits = cursor.take("f") ? cursor.number() : 0;
  if (!bits || !fraction_bits || !cursor.at_end()) return unknown_name(text);
  ANYBIT_TRY(check_range(text, "bits", *bits, 1, 16));
  ANYBIT_TRY(check_range(text, "fraction bits", *fraction_bits, 0, kMaxFractionBits));
  return is_signed ? int_format(*bits, *fraction_bits) : uint_format(*bits, *fraction_bits);
}

/// After "posit" or "lns".
Result<ElementFormat> parse_two_numbers(std::string_view text, Cursor cursor, ElementKind kind) {
  const std::optional<int> bits = cursor.number();
  if (!bits || !cursor.take("_")) return unknown_name(text);
  const std::optional<int> second = cursor.number();
  if (!second || !cursor.at_end()) return unknown_name(text);
  ANYBIT_TRY(check_range(text, "bits", *bits, 2, 16));
  if (kind == ElementKind::kPosit) {
    ANYBIT_TRY(check_range(text, "es", *second, 0, kMaxPositEs));
    return posit_format(*bits, *second);
  }
  ANYBIT_TRY(check_range(text, "fraction bits", *second, 0, *bits - 2));
  const int max_log2 = (1 << (*bits - 2)) >> *second;
  if (max_log2 > 1022) {
    return fail(ErrorCode::kInvalidArgument,
                "element format \"{}\": values must lie between 2^-1022 and 2^1022 (those of a "
                "double), found 2^-{} to 2^{}",
                text, max_log2, max_log2);
  }
  return lns_format(*bits, *second);
}

/// After "bipolar" or "codebook".
Result<ElementFormat> parse_one_number(std::string_view text, Cursor cursor, ElementKind kind) {
  const std::optional<int> bits = cursor.number();
  if (!bits || !cursor.at_end()) return unknown_name(text);
  ANYBIT_TRY(check_range(text, "bits", *bits, 1, 16));
  return ElementFormat{kind, static_cast<uint8_t>(*bits), 0, 0, 0, Specials::kNone, true};
}

std::string float_name(const ElementFormat& f) {
  std::string name =
      fmt::format("{}e{}m{}", f.is_signed ? "" : "u", f.exponent_bits, f.mantissa_bits);
  if (f.exponent_bias != default_bias(f.exponent_bits)) name += fmt::format("b{}", f.exponent_bias);
  // The bare name e8m0 is the unsigned scale: the signed one always says its specials.
  if (f.specials != default_specials(f) || name == "e8m0") name += suffix_of(f.specials);
  return name;
}

std::string integer_name(std::string_view prefix, const ElementFormat& f) {
  return f.mantissa_bits == 0 ? fmt::format("{}{}", prefix, f.bits)
                              : fmt::format("{}{}f{}", prefix, f.bits, f.mantissa_bits);
}

}  // namespace

Result<ElementFormat> parse_element_format(std::string_view text) {
  for (const NamedFormat& named : kNamed) {
    if (named.name == text) return named.format;
  }
  Cursor cursor(text);
  if (cursor.take("uint")) return parse_integer(text, cursor, false);
  if (cursor.take("int")) return parse_integer(text, cursor, true);
  if (cursor.take("ue")) return parse_float(text, cursor, false);
  if (cursor.take("e")) return parse_float(text, cursor, true);
  if (cursor.take("posit")) return parse_two_numbers(text, cursor, ElementKind::kPosit);
  if (cursor.take("lns")) return parse_two_numbers(text, cursor, ElementKind::kLns);
  if (cursor.take("bipolar")) return parse_one_number(text, cursor, ElementKind::kBipolar);
  if (cursor.take("codebook")) return parse_one_number(text, cursor, ElementKind::kCodebook);
  return unknown_name(text);
}

std::string element_name(const ElementFormat& format) {
  for (const NamedFormat& named : kNamed) {
    if (named.format == format) return std::string(named.name);
  }
  switch (format.kind) {
    case ElementKind::kInt: return integer_name("int", format);
    case ElementKind::kUint: return integer_name("uint", format);
    case ElementKind::kFloat: return float_name(format);
    case ElementKind::kPosit: return fmt::format("posit{}_{}", format.bits, format.exponent_bits);
    case ElementKind::kLns: return fmt::format("lns{}_{}", format.bits, format.mantissa_bits);
    case ElementKind::kBipolar: return fmt::format("bipolar{}", format.bits);
    case ElementKind::kCodebook: return fmt::format("codebook{}", format.bits);
    case ElementKind::kBinary: return "binary";
    case ElementKind::kTernary: return "ternary";
    case ElementKind::kComplex: return "complex2";
  }
  return "unknown";
}

uint32_t encode_codebook(std::span<const float> codebook, float value) {
  ANYBIT_CHECK(!codebook.empty());
  const auto above = std::lower_bound(codebook.begin(), codebook.end(), value);
  if (above == codebook.begin() || std::isnan(value)) return 0;
  // The lowest index of the run of equal entries below `value`.
  const auto below = std::lower_bound(codebook.begin(), above, above[-1]);
  const auto index = static_cast<uint32_t>(below - codebook.begin());
  if (above == codebook.end()) return index;
  // Nearest to `below` iff 2 * value <= below + above, whose rounding error decides ties exactly.
  const double low = *below, high = *above, twice = 2.0 * value;
  const double sum = low + high;
  const double high_part = sum - low;
  const double error = (low - (sum - high_part)) + (high - high_part);
  const bool is_below = twice < sum || (twice == sum && error >= 0);
  return is_below ? index : static_cast<uint32_t>(above - codebook.begin());
}

std::complex<float> decode_complex(uint32_t code) {
  constexpr std::complex<float> kUnits[] = {{1, 0}, {0, 1}, {-1, 0}, {0, -1}};
  ANYBIT_DCHECK(code < 4);
  return kUnits[code & 3];
}

uint32_t encode_complex(std::complex<float> value) {
  const float re = value.real();
  const float im = value.imag();
  // Boundaries belong to the sector that follows counterclockwise.
  if (re > 0 && im >= -re && im < re) return 0;
  if (im > 0 && re > -im && re <= im) return 1;
  if (re < 0 && im > re && im <= -re) return 2;
  if (im < 0 && re >= im && re < -im) return 3;
  return 0;
}

std::vector<float> decode_table(const ElementFormat& format) {
  ANYBIT_CHECK(format.bits <= 16);
  std::vector<float> table(format.num_codes());
  for (uint32_t code = 0; code < table.size(); ++code) {
    table[code] = static_cast<float>(decode(format, code));
  }
  return table;
}

std::span<const FormatFamily> format_families() { return kFamilies; }

std::vector<std::string> all_format_names() {
  std::vector<std::string> candidates = {"binary", "ternary", "e8m0", "bf16", "f16"};
  for (int bits = 1; bits <= 16; ++bits) {
    candidates.push_back(fmt::format("int{}", bits));
    candidates.push_back(fmt::format("uint{}", bits));
    candidates.push_back(fmt::format("bipolar{}", bits));
  }
  candidates.insert(candidates.end(), {"int8f6", "int4f3", "uint8f4"});
  for (int bits = 2; bits <= 16; ++bits) {
    for (int es = 0; es <= 3; ++es) candidates.push_back(fmt::format("posit{}_{}", bits, es));
    for (int fraction = 0; fraction <= bits - 2; ++fraction) {
      const bool is_listed = bits <= 10 || fraction == bits / 2 || fraction == bits - 2;
      if (is_listed) candidates.push_back(fmt::format("lns{}_{}", bits, fraction));
    }
  }
  for (int exponent = 0; exponent <= 8; ++exponent) {
    for (int mantissa = 0; mantissa <= 16 - exponent; ++mantissa) {
      for (const char* sign : {"", "u"}) {
        const std::string stem = fmt::format("{}e{}m{}", sign, exponent, mantissa);
        for (const char* suffix : {"fin", "fn", "ieee"}) {
          const bool is_small = exponent + mantissa < 8;
          const auto format = parse_element_format(is_small ? stem + suffix : stem);
          if (format) candidates.push_back(element_name(*format));
        }
      }
    }
  }
  std::vector<std::string> names;
  for (const std::string& candidate : candidates) {
    const bool is_listed = std::find(names.begin(), names.end(), candidate) != names.end();
    if (!is_listed && parse_element_format(candidate)) names.push_back(candidate);
  }
  return names;
}

}  // namespace anybit::numeric
