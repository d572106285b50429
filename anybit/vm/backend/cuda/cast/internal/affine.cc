// value = A * u + B for a code whose unsigned reading, after flipping some bits, is u. The lane
// 0x6400 | u << s (f16) is exactly 1024 + 2^s u while the code stays inside the 10 mantissa bits,
// 0x4300 | u << s (bf16) is 128 + 2^s u inside 7; one fma with A/2^s and B - 1024 A/2^s (128 for
// bf16) then rounds the exact value once. Masking, flipping the sign bit of a two's complement code
// and setting the exponent are one lop3: (word & mask) ^ magic. The two lanes may have different s.
// Where no such constant is exact, one subtraction more makes u first.
#include <cmath>
#include <optional>

#include "anybit/vm/backend/cuda/cast/internal/cast_text.h"
#include "anybit/vm/backend/cuda/cast/internal/pair_places.h"

namespace anybit::vm::cuda::internal {
namespace {

using numeric::ElementFormat;
using numeric::ElementKind;

/// value = factor * (code ^ flip) + offset.
struct Affine {
  uint32_t flip;
  double factor, offset;
};

std::optional<Affine> affine_of(const ElementFormat& f) {
  if (f.bits > 8) return std::nullopt;
  Affine a{0, std::ldexp(1.0, -f.mantissa_bits), 0};
  switch (f.kind) {
    case ElementKind::kUint: break;
    case ElementKind::kInt:
      a.flip = 1u << (f.bits - 1);
      a.offset = -std::ldexp(1.0, f.bits - 1 - f.mantissa_bits);
      break;
    case ElementKind::kBinary:
    case ElementKind::kBipolar:
      a.factor = 2;
      a.offset = 1.0 - std::ldexp(1.0, f.bits);
      break;
    case ElementKind::kFloat:
      if (f.exponent_bits != 0 || f.is_signed || f.specials != numeric::Specials::kNone ||
          f.mantissa_bits == 0) {
        return std::nullopt;
      }
      a.factor = numeric::decode(f, 1);
      break;
    default: return std::nullopt;
  }
  for (uint32_t code = 0; code < f.num_codes(); ++code) {
    if (numeric::decode(f, code) != a.factor * (code ^ a.flip) + a.offset) return std::nullopt;
  }
  return a;
}

/// What f16 and bf16 differ in.
struct Target {
  const ElementFormat& format;
  std::string_view prefix;  // Of the device functions.
  uint32_t magic;           // 2^mantissa_bits.
  double base;
  int mantissa_bits;
};

bool is_exact(const Target& t, double value) {
  const double kept = numeric::decode(t.format, numeric::encode(t.format, value));
  return kept == value;
}

uint32_t lanes(uint32_t lo, uint32_t hi) { return lo | hi << 16; }

uint32_t constant(const Target& t, double lo, double hi) {
  return lanes(numeric::encode(t.format, lo), numeric::encode(t.format, hi));
}

double at(const std::array<double, 16>& values, int shift) {
  return values[static_cast<size_t>(shift)];
}

/// The constants for each shift of a code in its lane.
struct Plan {
  Affine affine;
  std::array<bool, 16> allowed{};
  std::array<double, 16> factor{}, offset{};
  bool has_two_steps = false;  // First the subtraction of `base`, then the fma.
};

std::optional<Plan> plan_for(const Affine& affine, const Target& t, int bits) {
  for (const bool two_steps : {false, true}) {
    Plan plan{affine};
    plan.has_two_steps = two_steps;
    bool is_possible = false;
    for (int s = 0; s + bits <= t.mantissa_bits; ++s) {
      const auto i = static_cast<size_t>(s);
      plan.factor[i] = std::ldexp(affine.factor, -s);
      plan.offset[i] = affine.offset - (two_steps ? 0 : t.base * plan.factor[i]);
      plan.allowed[i] = is_exact(t, plan.factor[i]) && is_exact(t, plan.offset[i]);
      is_possible = is_possible || plan.allowed[i];
    }
    if (is_possible) return plan;
  }
  return std::nullopt;
}

void write_arithmetic(CastText& out, const Target& t, const Plan& plan, int64_t j,
                      const std::string& word, std::array<int, 2> shift) {
  std::string x = word;
  const uint32_t factor = constant(t, at(plan.factor, shift[0]), at(plan.factor, shift[1]));
  const uint32_t offset = constant(t, at(plan.offset, shift[0]), at(plan.offset, shift[1]));
  const uint32_t minus_base = constant(t, -t.base, -t.base);
  if (plan.has_two_steps) {
    x = out.word(fmt::format("ab::{}_add({}, {:#x}u)", t.prefix, x, minus_base));
  }
  const bool is_sum = factor == constant(t, 1, 1);
  if (is_sum && plan.has_two_steps && plan.affine.offset == 0) {
    out.line("out[{}] = {};", j, x);
  } else if (is_sum) {
    out.line("out[{}] = ab::{}_add({}, {:#x}u);", j, t.prefix, x, offset);
  } else {
    out.line("out[{}] = ab::{}_fma({}, {:#x}u, {:#x}u);", j, t.prefix, x, factor, offset);
  }
}

/// 8-bit codes are whole bytes: prmt sets them beside the byte of the exponent.
void write_bytes_f16(CastText& out, const Target& t, const Plan& plan, const CastOptions& options) {
  std::vector<std::string> sources;
  for (int64_t k = 0; k < out.in_words(); ++k) {
    sources.push_back(plan.affine.flip == 0 ? out.window(32 * k)
                                            : out.word(fmt::format("in[{}] ^ 0x80808080u", k)));
  }
  for (int64_t i = 0; i < out.count(); i += 2) {
    const int64_t lo = place_of(out, options, i);
    const int64_t hi = i + 1 < out.count() ? place_of(out, options, i + 1) : lo;
    const std::string x = out.word(fmt::format("ab::prmt({}, 0x64646464u, {:#x})",
                                               sources[static_cast<size_t>(lo / 4)],
                                               0x4040 | lo % 4 | (hi % 4) << 8));
    write_arithmetic(out, t, plan, i / 2, x, {0, 0});
  }
}

/// bf16 has no room for 8 bits: with byte = l + 128 h (h its top bit), 0x4300 | l is 128 + l, and
/// 0x4300 | h << 7 is 128 + 128 h, for bit 7 is the exponent's last: their difference is the two's
/// complement value l - 128 h, exactly. Other affine formats are factor * (l - 128 h) + offset of
/// the byte with its top bit flipped.
void write_bytes_bf16(CastText& out, const Affine& affine, const CastOptions& options) {
  const ElementFormat& bf16 = numeric::kBF16;
  const bool flips = affine.flip == 0;
  const double offset = affine.offset + 128 * affine.factor;
  for (int64_t i = 0; i < out.count(); i += 2) {
    const int64_t lo = place_of(out, options, i);
    const int64_t hi = i + 1 < out.count() ? place_of(out, options, i + 1) : lo;
    const std::string x =
        out.word(fmt::format("ab::prmt({}, 0x43434343u, {:#x})", out.window(lo / 4 * 32),
                             0x4040 | lo % 4 | (hi % 4) << 8));
    const std::string low = out.word(fmt::format("{} & 0xff7fff7fu", x));
    const std::string top =
        out.word(flips ? fmt::format("ab::lop3<0x6a>({}, 0xff80ff80u, 0x00800080u)", x)
                       : fmt::format("{} & 0xff80ff80u", x));
    const std::string value = fmt::format("ab::bf16x2_sub({}, {})", low, top);
    if (affine.factor == 1 && offset == 0) {
      out.line("out[{}] = {};", i / 2, value);
    } else {
      const uint32_t a = numeric::encode(bf16, affine.factor), b = numeric::encode(bf16, offset);
      out.line("out[{}] = ab::bf16x2_fma({}, {:#x}u, {:#x}u);", i / 2, out.word(value), lanes(a, a),
               lanes(b, b));
    }
  }
}

}  // namespace

bool write_affine(CastText& out, const ElementFormat& to, const CastOptions& options) {
  const bool is_f16 = to == numeric::kF16;
  if (!is_f16 && to != numeric::kBF16) return false;
  const std::optional<Affine> affine = affine_of(out.from());
  if (!affine) return false;
  const Target t =
      is_f16 ? Target{to, "f16x2", 0x6400, 1024, 10} : Target{to, "bf16x2", 0x4300, 128, 7};
  const int bits = out.bits();
  if (!is_f16 && bits == 8) {
    if (!is_exact(t, affine->factor) || !is_exact(t, affine->offset + 128 * affine->factor)) {
      return false;
    }
    write_bytes_bf16(out, *affine, options);
    return true;
  }
  std::optional<Plan> plan = plan_for(*affine, t, bits);
  if (!plan) return false;
  if (bits == 8 && plan->allowed[0]) {
    write_bytes_f16(out, t, *plan, options);
    return true;
  }
  PairPlaces places(out, plan->allowed);
  const uint32_t mask = (uint32_t{1} << bits) - 1;
  for (int64_t i = 0; i < out.count(); i += 2) {
    // A last element without a partner has itself in both lanes.
    const int64_t lo = place_of(out, options, i);
    const int64_t hi = i + 1 < out.count() ? place_of(out, options, i + 1) : lo;
    const PlacedPair pair = places.place(lo * bits, hi * bits);
    const auto [a, b] = pair.shift;
    const std::string x = out.word(
        fmt::format("ab::lop3<0x6a>({}, {:#x}u, {:#x}u)", pair.word, lanes(mask << a, mask << b),
                    lanes(t.magic ^ affine->flip << a, t.magic ^ affine->flip << b)));
    write_arithmetic(out, t, *plan, i / 2, x, pair.shift);
  }
  return true;
}

}  // namespace anybit::vm::cuda::internal
