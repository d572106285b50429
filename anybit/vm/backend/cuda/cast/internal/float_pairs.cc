// Floats of a sign, x exponent and y mantissa bits, moved so that the exponent's and the mantissa's
// last bits meet those of f16 (or bf16): f16 then reads value * 2^(bias - 15) exactly, subnormals
// included, for both formats count a subnormal's mantissa in the same unit as that of exponent 1.
// One multiplication by 2^(15 - bias) rounds the exact value once. The sign: prmt fills the byte
// under the upper lane with copies of the lower code's sign, so that one arithmetic shift right
// leaves both signs at the lanes' tops and both magnitudes in place; one mask clears the rest.
// NaN-only formats: times a constant under which NaN's magnitude, and no other, overflows; 0 times
// that, added, is NaN for NaN and nothing for the rest.
// Every plan is tried on all codes before it is used: what it would give must be what
// encode(to, decode(from)) gives.
#include <cmath>
#include <limits>
#include <optional>

#include "anybit/vm/backend/cuda/cast/internal/cast_text.h"
#include "anybit/vm/backend/cuda/cast/internal/pair_places.h"
#include "anybit/vm/ir/element.h"

namespace anybit::vm::cuda::internal {
namespace {

using numeric::ElementFormat;

constexpr numeric::Rounding kIeee{numeric::RoundingMode::kNearestEven, numeric::Overflow::kSpecial};

struct Plan {
  int place = 0;     // Of the magnitude's last bit in its lane.
  uint32_t set = 0;  // Bits set in each lane: see has_only_powers.
  double scale = 1;
  double nan_scale = 0;  // 0: there is no NaN to make.
  bool clamps = false;   // Infinity becomes the largest number.
};

double rounded(const ElementFormat& to, double value) {
  return numeric::decode(to, numeric::encode(to, value, kIeee));
}

/// What the plan's instructions make of `code`.
double simulate(const Plan& plan, const ElementFormat& from, const ElementFormat& to,
                uint32_t code) {
  const int magnitude_bits = from.bits - from.is_signed;
  const uint32_t magnitude = code & ((1u << magnitude_bits) - 1);
  const uint32_t sign = from.is_signed ? code >> magnitude_bits << 15 : 0;
  double x = numeric::decode(to, (magnitude << plan.place | sign | plan.set) & 0xffff);
  if (plan.scale != 1) x = rounded(to, x * plan.scale);
  if (plan.nan_scale != 0) x += 0 * rounded(to, x * plan.nan_scale);
  if (plan.clamps && std::isinf(x)) x = std::copysign(numeric::max_finite(to), x);
  return x;
}

bool is_right(const Plan& plan, const ElementFormat& from, const ElementFormat& to,
              const CastOptions& options) {
  for (const double constant : {plan.scale, plan.nan_scale}) {
    if (rounded(to, constant) != constant || std::isinf(constant)) return false;
  }
  for (uint32_t code = 0; code < from.num_codes(); ++code) {
    const double value = numeric::decode(from, code);
    if (options.assume_finite && !std::isfinite(value)) continue;
    const uint32_t expected = numeric::encode(to, value, cast_rounding(to, options.saturate));
    const double found = simulate(plan, from, to, code);
    if (!same_code(to, numeric::encode(to, found, kIeee), expected)) return false;
  }
  return true;
}

std::optional<Plan> plan_for(const ElementFormat& from, const ElementFormat& to,
                             const CastOptions& options) {
  Plan plan;
  const int magnitude_bits = from.bits - from.is_signed;
  plan.place = to.mantissa_bits - from.mantissa_bits;
  if (plan.place < 0 || plan.place + magnitude_bits > 15) return std::nullopt;
  int scale_log2 = to.exponent_bias - from.exponent_bias;
  if (!from.is_signed && from.mantissa_bits == 0) {
    // Powers of two without a zero: the next exponent bit is set, so that code 0 is no subnormal.
    if (from.exponent_bits + 1 > to.exponent_bits) return std::nullopt;
    plan.set = 1u << (plan.place + from.exponent_bits);
    scale_log2 -= 1 << from.exponent_bits;
  }
  plan.scale = std::ldexp(1.0, scale_log2);
  // The largest number by itself, over the value below NaN's: overflows for NaN alone.
  const double largest = numeric::max_finite(to), below_nan = numeric::max_finite(from);
  const double nan_scale = rounded(to, largest / below_nan);
  for (const bool clamps : {false, true}) {
    for (const double s : {0.0, nan_scale, rounded(to, nan_scale * (1 - 0x1p-7)),
                           rounded(to, nan_scale * (1 - 0x1p-5))}) {
      plan.clamps = clamps;
      plan.nan_scale = s;
      if (is_right(plan, from, to, options)) return plan;
    }
  }
  return std::nullopt;
}

uint32_t both(uint32_t lane) { return lane | lane << 16; }

/// A word with both codes' magnitudes and signs in place.
std::string place_signed(CastText& out, const Plan& plan, int64_t lo, int64_t hi) {
  const int bits = out.bits();
  // The bytes of windows in which the codes end at a byte's end.
  const auto byte_of = [&](int64_t begin) {
    const int64_t word = begin / 32 * 32, end = begin + bits;
    if (end % 8 == 0 && end - 8 >= word && end <= word + 32) {
      return std::pair{out.window(word), (end - 8 - word) / 8};
    }
    const int64_t shift = end % 8;  // window + 8k + 8 = end
    int64_t window = word + shift;
    if (end > window + 32 || end - 8 < window) window = end - 8;
    if (!out.has_window(window)) {
      for (const int64_t other : {window - 8, window - 16, window - 24}) {
        if (out.has_window(other) && end <= other + 32 && (other % 32 + 32) % 32 != 0)
          window = other;
      }
    }
    return std::pair{out.window(window), (end - 8 - window) / 8};
  };
  const auto [a, byte_a] = byte_of(lo);
  const auto [b, byte_b] = byte_of(hi);
  const int64_t selector = byte_a << 4 | (byte_a | 8) << 8 | (byte_b + 4) << 12;
  // Byte 0 lies below both codes; a copy of byte 1 serves.
  const std::string top = out.word(fmt::format("ab::prmt({}, {}, {:#x})", a, b, selector | byte_a));
  const int drop = 15 - (bits - 1) - plan.place;
  const uint32_t mask = 0x8000u | ((1u << (bits - 1)) - 1) << plan.place;
  const std::string shifted =
      drop == 0 ? top
                : fmt::format("static_cast<ab::u32>(static_cast<ab::i32>({}) >> {})", top, drop);
  return out.word(fmt::format("{} & {:#x}u", shifted, both(mask)));
}

void write_arithmetic(CastText& out, const Plan& plan, const ElementFormat& to, int64_t j,
                      std::string x) {
  const std::string_view prefix = to == numeric::kF16 ? "f16x2" : "bf16x2";
  const auto constant = [&](double value) { return both(numeric::encode(to, value)); };
  if (plan.scale != 1) {
    x = out.word(fmt::format("ab::{}_mul({}, {:#x}u)", prefix, x, constant(plan.scale)));
  }
  if (plan.nan_scale != 0) {
    const std::string probe =
        out.word(fmt::format("ab::{}_mul({}, {:#x}u)", prefix, x, constant(plan.nan_scale)));
    x = out.word(fmt::format("ab::{}_fma({}, 0u, {})", prefix, probe, x));
  }
  if (plan.clamps) {
    const double largest = numeric::max_finite(to);
    x = out.word(fmt::format("ab::{}_min_nan({}, {:#x}u)", prefix, x, constant(largest)));
    x = out.word(fmt::format("ab::{}_max_nan({}, {:#x}u)", prefix, x, constant(-largest)));
  }
  out.line("out[{}] = {};", j, x);
}

}  // namespace

bool write_float(CastText& out, const ElementFormat& to, const CastOptions& options) {
  const ElementFormat& from = out.from();
  if (from.kind != numeric::ElementKind::kFloat || from.bits > 8) return false;
  if (to != numeric::kF16 && to != numeric::kBF16) return false;
  const std::optional<Plan> plan = plan_for(from, to, options);
  if (!plan) return false;
  std::array<bool, 16> allowed{};
  allowed[static_cast<size_t>(plan->place)] = true;
  PairPlaces places(out, allowed);
  const uint32_t mask = both(((1u << from.bits) - 1) << plan->place);
  for (int64_t i = 0; i < out.count(); i += 2) {
    const int64_t lo = place_of(out, options, i) * from.bits;
    const int64_t hi = i + 1 < out.count() ? place_of(out, options, i + 1) * from.bits : lo;
    std::string x;
    if (from.is_signed) {
      x = place_signed(out, *plan, lo, hi);
    } else {
      x = out.word(fmt::format("ab::lop3<0x6a>({}, {:#x}u, {:#x}u)", places.place(lo, hi).word,
                               mask, both(plan->set)));
    }
    write_arithmetic(out, *plan, to, i / 2, x);
  }
  return true;
}

}  // namespace anybit::vm::cuda::internal
