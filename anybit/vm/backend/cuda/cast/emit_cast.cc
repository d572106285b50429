#include "anybit/vm/backend/cuda/cast/emit_cast.h"

#include "anybit/base/check.h"
#include "anybit/vm/backend/cuda/cast/internal/cast_writer.h"

namespace anybit::vm::cuda {

using numeric::ElementFormat;
using numeric::ElementKind;

namespace {

bool is_half(const ElementFormat& format) {
  return format == numeric::kF16 || format == numeric::kBF16;
}

bool has_values(const ElementFormat& format) {
  return format.kind != ElementKind::kCodebook && format.kind != ElementKind::kComplex;
}

/// Two f32 values of a 16-bit word in one rounding each, without saturation: for sources that
/// cannot overflow.
void write_half_to_float(CastWriter& out, const ElementFormat& from, int64_t count) {
  const char* name = from == numeric::kF16 ? "f16" : "bf16";
  for (int64_t i = 0; i < count; ++i) {
    out.line("out[{}] = ab::float_bits(ab::{}_{}_to_f32(in[{}]));", i, name,
             i % 2 == 0 ? "lo" : "hi", i / 2);
  }
}

void write_float_to_half(CastWriter& out, const ElementFormat& to, int64_t count) {
  const char* name = to == numeric::kF16 ? "f16" : "bf16";
  const std::string largest = float_text(max_finite(to));
  // min and max prefer a number to NaN, which must pass.
  for (int64_t i = 0; i < count; ++i) {
    out.line("const float x{0} = ab::bits_float(in[{0}]);", i);
    out.line("const float s{0} = x{0} != x{0} ? x{0} : ab::max(ab::min(x{0}, {1}), -{1});", i,
             largest);
  }
  for (int64_t w = 0; w < (count + 1) / 2; ++w) {
    const std::string high = 2 * w + 1 < count ? fmt::format("s{}", 2 * w + 1) : "0.0f";
    out.line("out[{}] = ab::f32_to_{}x2(s{}, {});", w, name, 2 * w, high);
  }
}

/// Saturating; wider than f32's significand on purpose: int32 and uint32 never pass through f32.
void write_integers(CastWriter& out, const ElementFormat& from, const ElementFormat& to,
                    int64_t count) {
  const bool to_signed = to.kind == ElementKind::kInt;
  const int64_t high = (int64_t{1} << (to.bits - (to_signed ? 1 : 0))) - 1;
  const int64_t low = to_signed ? -high - 1 : 0;
  const uint64_t mask = (uint64_t{1} << to.bits) - 1;
  for (int64_t i = 0; i < count; ++i) {
    const std::string code = packed_code("in", i, from.bits);
    std::string value = fmt::format("(long long)({})", code);
    if (from.kind == ElementKind::kInt) {
      value = from.bits == 32
                  ? fmt::format("(long long)(int)({})", code)
                  : fmt::format("(long long)ab::bit_extract_signed({}, 0, {})", code, from.bits);
    }
    out.line("const long long v{} = {};", i, value);
    out.line(
        "const ab::u32 c{0} = (ab::u32)(v{0} < {1}ll ? {1}ll : v{0} > {2}ll ? {2}ll : v{0}) & "
        "{3:#x}u;",
        i, low, high, mask);
  }
  write_packed(out, "out", count, to.bits, [](int64_t i) { return fmt::format("c{}", i); });
}

/// Whether f32 holds every value of `from`, or rounding to it first changes nothing.
bool passes_through_f32(const ElementFormat& from, const ElementFormat& to) {
  const bool wide_integer = is_integer_element(from) && from.bits > 24;
  return !wide_integer || to == numeric::kF32;
}

}  // namespace

CastPath cast_path(const ElementFormat& from, const ElementFormat& to) {
  if (from == to) return CastPath::kCopy;
  if (has_integer_pairs(from, to)) return CastPath::kIntegerPairs;
  if (has_float_pairs(from, to)) return CastPath::kFloatPairs;
  if (is_half(from) && to == numeric::kF32) return CastPath::kHalfToFloat;
  if (from == numeric::kF32 && is_half(to)) return CastPath::kFloatToHalf;
  if (is_integer_element(from) && is_integer_element(to)) return CastPath::kIntegers;
  return CastPath::kByElement;
}

std::string_view cast_path_name(CastPath path) {
  switch (path) {
    case CastPath::kCopy: return "copy";
    case CastPath::kIntegerPairs: return "integer pairs";
    case CastPath::kFloatPairs: return "float pairs";
    case CastPath::kHalfToFloat: return "half to float";
    case CastPath::kFloatToHalf: return "float to half";
    case CastPath::kIntegers: return "integers";
    case CastPath::kByElement: return "by element";
  }
  return "";
}

Result<std::string> emit_cast_function(const ElementFormat& from, const ElementFormat& to,
                                       int64_t count, std::string_view name) {
  if (!has_values(from) || !has_values(to)) {
    return fail(ErrorCode::kUnsupported, "cast of {} to {}: codes without values of their own",
                tile_element_name(from), tile_element_name(to));
  }
  if (!passes_through_f32(from, to) && !is_integer_element(to)) {
    return fail(ErrorCode::kUnsupported, "cast of {} to {}: cast to f32 first",
                tile_element_name(from), tile_element_name(to));
  }
  CastWriter out;
  std::string tables;
  const int64_t in_words = (count * from.bits + 31) / 32, out_words = (count * to.bits + 31) / 32;
  bool written = false;
  switch (cast_path(from, to)) {
    case CastPath::kCopy:
      for (int64_t w = 0; w < out_words; ++w) out.line("out[{0}] = in[{0}];", w);
      written = true;
      break;
    case CastPath::kIntegerPairs: written = write_integer_pairs(out, from, to, count); break;
    case CastPath::kFloatPairs: written = write_float_pairs(out, from, to, count); break;
    case CastPath::kHalfToFloat:
      write_half_to_float(out, from, count);
      written = true;
      break;
    case CastPath::kFloatToHalf:
      write_float_to_half(out, to, count);
      written = true;
      break;
    case CastPath::kIntegers:
      write_integers(out, from, to, count);
      written = true;
      break;
    case CastPath::kByElement: break;
  }
  if (!written) {
    out = CastWriter();
    for (int64_t i = 0; i < count; ++i) {
      const std::string code = fmt::format("i{}", i), value = fmt::format("x{}", i);
      out.line("const ab::u32 {} = {};", code, packed_code("in", i, from.bits));
      out.line("const float {} = {};", value, decoded_to_f32(from, code, tables, name));
      write_encoded(out, to, value, fmt::format("c{}", i), tables, name);
    }
    write_packed(out, "out", count, to.bits, [](int64_t i) { return fmt::format("c{}", i); });
  }
  return fmt::format("{}AB_FN void {}(const ab::u32 (&in)[{}], ab::u32 (&out)[{}]) {{\n{}}}\n",
                     tables, name, in_words, out_words, out.text());
}

}  // namespace anybit::vm::cuda
