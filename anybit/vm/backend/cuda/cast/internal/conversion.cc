// Pairs of elements by the GPU's conversions: among f32, f16 and bf16, and between those and the
// 8-bit floats e4m3 and e5m2. They round once, to nearest even; f16 and bf16 become infinite beyond
// their range, so of a saturating cast min and max (which let NaN through) follow, save where
// neither rounding nor, by the caller's promise, the source can make an infinity.
#include <cmath>

#include "anybit/vm/backend/cuda/cast/internal/cast_text.h"

namespace anybit::vm::cuda::internal {
namespace {

using numeric::ElementFormat;

bool is_fp8(const ElementFormat& f) { return f == numeric::kE4M3 || f == numeric::kE5M2; }
bool is_half(const ElementFormat& f) { return f == numeric::kF16 || f == numeric::kBF16; }

std::string name_of(const ElementFormat& f) { return numeric::element_name(f); }

/// The word of the pair whose f16 (bf16) or fp8 codes are at two places, the latter in its lower
/// half, or after widening fp8 to f16.
std::string half_pair(CastText& out, int64_t lo, int64_t hi) {
  const ElementFormat& from = out.from();
  if (is_half(from)) return fmt::format("in[{}]", lo / 2);
  std::string codes = fmt::format("in[{}]", lo / 4);
  if (hi != lo + 1) {
    codes = fmt::format("ab::prmt({}, 0u, {:#x})", codes, lo % 4 | (hi % 4) << 4);
  } else if (lo % 4 != 0) {
    codes = fmt::format("{} >> 16", codes);
  }
  return out.word(fmt::format("ab::{}x2_to_f16x2({})", name_of(from), codes));
}

/// The two values of the pair as floats.
std::array<std::string, 2> float_pair(CastText& out, int64_t lo, int64_t hi) {
  if (out.from() == numeric::kF32) {
    return {fmt::format("ab::bits_float(in[{}])", lo), fmt::format("ab::bits_float(in[{}])", hi)};
  }
  const std::string pair = half_pair(out, lo, hi);
  const std::string prefix = out.from() == numeric::kBF16 ? "bf16" : "f16";
  return {fmt::format("ab::{}_lo_to_f32({})", prefix, pair),
          fmt::format("ab::{}_hi_to_f32({})", prefix, pair)};
}

std::string clamped(CastText& out, const ElementFormat& to, const std::string& pair) {
  const uint32_t largest = numeric::encode(to, numeric::max_finite(to)) * 0x10001u;
  const std::string prefix = name_of(to) + "x2";
  const std::string below =
      out.word(fmt::format("ab::{}_min_nan({}, {:#x}u)", prefix, pair, largest));
  return fmt::format("ab::{}_max_nan({}, {:#x}u)", prefix, below, largest | 0x80008000u);
}

void write_halves(CastText& out, const ElementFormat& to, const CastOptions& options) {
  const ElementFormat& from = out.from();
  // Whether a finite value may become infinite, or be it already.
  const bool overflows = from == numeric::kF32 || (from == numeric::kBF16 && to == numeric::kF16);
  const bool clamps =
      options.saturate && (overflows || (!options.assume_finite && from != numeric::kE4M3));
  for (int64_t i = 0; i < out.count(); i += 2) {
    const int64_t lo = place_of(out, options, i);
    const int64_t hi = i + 1 < out.count() ? place_of(out, options, i + 1) : lo;
    std::string pair;
    if (from == to || (is_fp8(from) && to == numeric::kF16)) {
      pair = half_pair(out, lo, hi);
    } else {
      const auto [a, b] = float_pair(out, lo, hi);
      pair = out.word(fmt::format("ab::f32_to_{}x2({}, {})", name_of(to), a, b));
    }
    out.line("out[{}] = {};", i / 2, clamps ? clamped(out, to, pair) : pair);
  }
}

void write_fp8(CastText& out, const ElementFormat& to) {
  const auto code_pair = [&](int64_t i) {
    const auto [a, b] = float_pair(out, i, i + 1 < out.count() ? i + 1 : i);
    return out.word(fmt::format("ab::f32_to_{}x2({}, {})", name_of(to), a, b));
  };
  for (int64_t i = 0; i < out.count(); i += 4) {
    const std::string low = code_pair(i);
    const std::string high = i + 2 < out.count() ? code_pair(i + 2) : "0u";
    out.line("out[{}] = ab::prmt({}, {}, 0x5410);", i / 4, low, high);
  }
}

}  // namespace

bool write_conversion(CastText& out, const ElementFormat& to, const CastOptions& options) {
  const ElementFormat& from = out.from();
  if (from != numeric::kF32 && !is_half(from) && !is_fp8(from)) return false;
  if (is_half(to)) {
    write_halves(out, to, options);
    return true;
  }
  if (!is_fp8(to) || is_fp8(from)) return false;
  write_fp8(out, to);
  return true;
}

}  // namespace anybit::vm::cuda::internal
