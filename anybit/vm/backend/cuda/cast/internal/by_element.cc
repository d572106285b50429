// Casts of single elements through f32, which holds every value of every format of at most 16 bits
// that the VM computes with.
#include <algorithm>
#include <bit>
#include <cmath>
#include <map>
#include <vector>

#include "anybit/base/check.h"
#include "anybit/vm/backend/cuda/cast/internal/cast_writer.h"

namespace anybit::vm::cuda {

using numeric::ElementFormat;
using numeric::ElementKind;

std::string packed_code(std::string_view in, int64_t index, int bits) {
  const int64_t bit = index * bits, word = bit / 32, position = bit % 32;
  if (bits == 32) return fmt::format("{}[{}]", in, word);
  if (position + bits > 32) {
    return fmt::format("(ab::funnel_right({0}[{1}], {0}[{2}], {3}) & {4:#x}u)", in, word, word + 1,
                       position, (uint64_t{1} << bits) - 1);
  }
  return fmt::format("ab::bit_extract({}[{}], {}, {})", in, word, position, bits);
}

void write_packed(CastWriter& out, std::string_view words, int64_t count, int bits,
                  const std::function<std::string(int64_t)>& code) {
  std::vector<std::string> texts(static_cast<size_t>((count * bits + 31) / 32));
  const auto add = [&](int64_t word, const std::string& part) {
    std::string& text = texts[static_cast<size_t>(word)];
    text += (text.empty() ? "" : " | ") + part;
  };
  for (int64_t i = 0; i < count; ++i) {
    const int64_t word = i * bits / 32, position = i * bits % 32;
    const std::string value = code(i);
    add(word, position == 0 ? value : fmt::format("({} << {})", value, position));
    if (position + bits > 32) add(word + 1, fmt::format("({} >> {})", value, 32 - position));
  }
  for (size_t w = 0; w < texts.size(); ++w) out.line("{}[{}] = {};", words, w, texts[w]);
}

std::string float_text(double value) {
  const auto bits = std::bit_cast<uint32_t>(static_cast<float>(value));
  return fmt::format("ab::bits_float({:#x}u)", bits);
}

namespace {

/// A static table of f32 values as bits.
std::string table_text(const std::string& name, const std::vector<float>& values) {
  std::string text = fmt::format("AB_CONSTANT unsigned {}[{}] = {{", name, values.size());
  for (size_t i = 0; i < values.size(); ++i) {
    text += fmt::format("{}{:#x}u", i == 0 ? "" : ", ", std::bit_cast<uint32_t>(values[i]));
  }
  return text + "};\n";
}

std::string add_table(std::string& tables, std::string_view prefix, std::string_view what,
                      const std::vector<float>& values) {
  const std::string name = fmt::format("{}_{}", prefix, what);
  if (tables.find(" " + name + "[") == std::string::npos) tables += table_text(name, values);
  return name;
}

}  // namespace

std::string decoded_to_f32(const ElementFormat& format, const std::string& code,
                           std::string& tables, std::string_view table_prefix) {
  if (format == numeric::kF32) return fmt::format("ab::bits_float({})", code);
  if (format == numeric::kF16) return fmt::format("ab::f16_lo_to_f32({})", code);
  if (format == numeric::kBF16) return fmt::format("ab::bits_float({} << 16)", code);
  if (is_integer_element(format)) {
    if (format.kind == ElementKind::kUint) return fmt::format("ab::u32_to_f32({})", code);
    if (format.bits == 32) return fmt::format("ab::i32_to_f32((int)({}))", code);
    return fmt::format("ab::i32_to_f32(ab::bit_extract_signed({}, 0, {}))", code, format.bits);
  }
  if (format.kind == ElementKind::kFloat && format.is_signed &&
      format.specials == numeric::Specials::kNone && format.exponent_bits < 8) {
    const int magnitude_bits = format.exponent_bits + format.mantissa_bits;
    return fmt::format(
        "ab::mul(ab::bits_float((({0}) & {1:#x}u) << {2} | ({0}) >> {3} << 31), {4})", code,
        (uint32_t{1} << magnitude_bits) - 1, 23 - format.mantissa_bits, magnitude_bits,
        float_text(std::exp2(127 - format.exponent_bias)));
  }
  std::vector<float> values;
  for (uint32_t c = 0; c < format.num_codes(); ++c) {
    values.push_back(static_cast<float>(decode_element(format, c)));
  }
  const std::string table = add_table(tables, table_prefix, "values", values);
  return fmt::format("ab::bits_float({}[{}])", table, code);
}

namespace {

/// f32 to a float format by its fields.
void write_float_code(CastWriter& out, const ElementFormat& format, const std::string& value,
                      const std::string& result) {
  const int m = format.mantissa_bits, shift = 23 - m;
  const bool has_zero = format.is_signed || m > 0;
  const double least_normal = has_zero ? std::exp2(1 - format.exponent_bias) : 0;
  const uint32_t largest = std::bit_cast<uint32_t>(static_cast<float>(max_finite(format)));
  const std::string a = result + "_a", r = result + "_r";
  out.line("ab::u32 {} = ab::float_bits({}) & 0x7fffffffu;", a, value);
  out.line("const bool {0}_nan = {1} > 0x7f800000u;", result, a);
  if (!format.is_signed) {
    out.line("if ((ab::float_bits({0}) >> 31) != 0) {1} = 0;", value, a);
  }
  out.line("if ({0} > {1:#x}u) {0} = {1:#x}u;", a, largest);
  const int64_t rebias = (int64_t{127} - format.exponent_bias) << m;
  if (!has_zero) {
    const uint32_t least = std::bit_cast<uint32_t>(static_cast<float>(min_positive(format)));
    out.line("if ({0} < {1:#x}u) {0} = {1:#x}u;", a, least);
  }
  // Normal: add half of the last place less one, and one more if the code is odd.
  out.line("ab::u32 {0} = ({1} + {2:#x}u + ((({1} >> {3}) - {4}u) & 1u) >> {3}) - {4}u;", r, a,
           (uint32_t{1} << (shift - 1)) - 1, shift, static_cast<uint32_t>(rebias));
  if (has_zero) {
    // Subnormal: adding 2^23 quanta leaves their number, rounded, in the mantissa.
    const double magic = std::exp2(1 - format.exponent_bias - m + 23);
    out.line(
        "if ({0} < {1:#x}u) {2} = ab::float_bits(ab::add(ab::bits_float({0}), {3})) - {4:#x}u;", a,
        std::bit_cast<uint32_t>(static_cast<float>(least_normal)), r, float_text(magic),
        std::bit_cast<uint32_t>(static_cast<float>(magic)));
  }
  if (format.is_signed) {
    out.line("{0} |= ab::float_bits({1}) >> 31 << {2};", r, value, format.bits - 1);
  }
  const uint32_t nan = numeric::encode(format, std::nan(""));
  out.line("const ab::u32 {} = {}_nan ? {:#x}u : {};", result, result, nan, r);
}

/// Thresholds of a format whose codes are few: encode(v) is values-ordered code k from
/// thresholds[k] on. Found by bisection through numeric::encode itself.
struct Thresholds {
  std::vector<uint32_t> codes;    // In the order of their values.
  std::vector<float> thresholds;  // One fewer.
};

float float_of_order(int64_t order) {
  return order >= 0 ? std::bit_cast<float>(static_cast<uint32_t>(order))
                    : -std::bit_cast<float>(static_cast<uint32_t>(-order));
}

Thresholds thresholds_of(const ElementFormat& format) {
  std::vector<std::pair<double, uint32_t>> values;
  std::map<uint32_t, int64_t> rank;
  for (uint32_t code = 0; code < format.num_codes(); ++code) {
    const double value = numeric::decode(format, code);
    if (!std::isnan(value)) values.emplace_back(value, code);
  }
  std::sort(values.begin(), values.end());
  Thresholds result;
  for (size_t i = 0; i < values.size(); ++i) {
    rank[values[i].second] = static_cast<int64_t>(i);
    result.codes.push_back(values[i].second);
  }
  const int64_t top = std::bit_cast<uint32_t>(std::numeric_limits<float>::max());
  for (size_t k = 1; k < values.size(); ++k) {
    int64_t low = -top, high = top;  // The least float whose rank is at least k.
    while (low < high) {
      const int64_t middle = low + (high - low) / 2;
      const uint32_t code = numeric::encode(format, float_of_order(middle));
      if (rank[code] >= static_cast<int64_t>(k)) {
        high = middle;
      } else {
        low = middle + 1;
      }
    }
    result.thresholds.push_back(float_of_order(low));
  }
  return result;
}

void write_threshold_code(CastWriter& out, const ElementFormat& format, const std::string& value,
                          const std::string& result, std::string& tables,
                          std::string_view table_prefix) {
  const Thresholds steps = thresholds_of(format);
  const std::string table = add_table(tables, table_prefix, "thresholds", steps.thresholds);
  const std::string codes = fmt::format("{}_codes", table_prefix);
  if (tables.find(" " + codes + "[") == std::string::npos) {
    tables += fmt::format("AB_CONSTANT unsigned {}[{}] = {{", codes, steps.codes.size());
    for (size_t i = 0; i < steps.codes.size(); ++i) {
      tables += fmt::format("{}{}u", i == 0 ? "" : ", ", steps.codes[i]);
    }
    tables += "};\n";
  }
  // Binary search: the number of thresholds that are not above the value.
  size_t step = 1;
  while (step * 2 <= steps.thresholds.size()) step *= 2;
  out.line("ab::u32 {}_k = 0;", result);
  for (; step > 0; step /= 2) {
    out.line(
        "if ({0}_k + {1} <= {2}u && {3} >= ab::bits_float({4}[{0}_k + {1} - 1])) {0}_k += {1};",
        result, step, steps.thresholds.size(), value, table);
  }
  out.line("const ab::u32 {0} = {1} != {1} ? {2:#x}u : {3}[{0}_k];", result, value,
           numeric::encode(format, std::nan("")), codes);
}

}  // namespace

void write_encoded(CastWriter& out, const ElementFormat& format, const std::string& value,
                   const std::string& result, std::string& tables, std::string_view table_prefix) {
  if (format == numeric::kF32) {
    out.line("const ab::u32 {} = ab::float_bits({});", result, value);
  } else if (format == numeric::kF16 || format == numeric::kBF16) {
    // Infinity saturates.
    const float largest = static_cast<float>(max_finite(format));
    out.line("const float {0}_v = {1} != {1} ? {1} : ab::max(ab::min({1}, {2}), -{2});", result,
             value, float_text(largest));
    out.line("const ab::u32 {0} = ab::f32_to_{1}({0}_v);", result,
             format == numeric::kF16 ? "f16" : "bf16");
  } else if (is_integer_element(format)) {
    const bool is_signed = format.kind == ElementKind::kInt;
    const double high = std::exp2(format.bits - (is_signed ? 1 : 0)) - 1;
    const double low = is_signed ? -high - 1 : 0;
    const uint64_t mask = (uint64_t{1} << format.bits) - 1;
    const char* convert = is_signed ? "f32_to_i32_rn" : "f32_to_u32_rn";
    if (format.bits == 32) {
      out.line("const ab::u32 {} = (ab::u32)ab::{}({});", result, convert, value);
    } else {
      out.line(
          "const ab::u32 {0} = {1} != {1} ? 0u : ((ab::u32)ab::{2}(ab::max(ab::min({1}, {3}), "
          "{4})) & {5:#x}u);",
          result, value, convert, float_text(high), float_text(low), mask);
    }
  } else if (format.kind == ElementKind::kFloat) {
    write_float_code(out, format, value, result);
  } else {
    write_threshold_code(out, format, value, result, tables, table_prefix);
  }
}

}  // namespace anybit::vm::cuda
