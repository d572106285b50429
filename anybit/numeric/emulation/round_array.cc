#include "anybit/numeric/emulation/round_array.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <optional>
#include <type_traits>

#include "anybit/base/check.h"
#include "anybit/base/cpu.h"
#include "anybit/base/philox.h"
#include "anybit/numeric/emulation/internal/round_array_paths.h"

namespace anybit::numeric {
namespace {

using internal::RoundPlan;

/// The grid of a format below and above `least_log2`: multiples of 2^(least_log2 - mantissa_bits)
/// below 2^least_log2, mantissa_bits places after the leading bit from there on.
struct Grid {
  int mantissa_bits;
  int least_log2;
};

bool is_integer(ElementKind kind) {
  return kind == ElementKind::kInt || kind == ElementKind::kUint || kind == ElementKind::kTernary;
}

/// Nothing for formats whose values are not such a grid.
std::optional<Grid> grid_of(const ElementFormat& f) {
  if (is_integer(f.kind)) {
    const int bits = f.bits - (f.kind == ElementKind::kUint ? 0 : 1);
    return Grid{bits, bits - f.mantissa_bits};
  }
  const bool has_only_powers = !f.is_signed && f.mantissa_bits == 0;
  if (f.kind != ElementKind::kFloat || has_only_powers) return std::nullopt;
  return Grid{f.mantissa_bits, 1 - f.exponent_bias};
}

bool flushes(const EmulatedRounding& rounding) {
  return !rounding.has_subnormals && rounding.format.kind == ElementKind::kFloat &&
         rounding.format.exponent_bits > 0;
}

/// The constants of the lane arithmetic on Real, or nothing if it does not cover the format.
template <class Real>
auto plan_of(const EmulatedRounding& rounding) {
  using Word = std::conditional_t<sizeof(Real) == 4, uint32_t, uint64_t>;
  using Limits = std::numeric_limits<Real>;
  const auto word = [](double x) { return std::bit_cast<Word>(static_cast<Real>(x)); };
  const ElementFormat& f = rounding.format;
  std::optional<RoundPlan<Word>> plan;
  const std::optional<Grid> grid = grid_of(f);
  if (!grid || grid->mantissa_bits > Limits::digits - 2) return plan;
  if (grid->least_log2 < Limits::min_exponent - 1 || max_finite(f) > Limits::max()) return plan;
  const bool is_flushing = flushes(rounding);
  const bool is_lowest = grid->least_log2 == Limits::min_exponent - 1;
  const int scale_log2 = grid->least_log2 - (is_flushing ? 0 : grid->mantissa_bits);
  const Word drop = static_cast<Word>(Limits::digits - 1 - grid->mantissa_bits);
  const Rounding special{RoundingMode::kNearestEven, rounding.overflow};
  const auto beyond = [&](double infinity) {
    const double magnitude = std::fabs(decode(f, encode(f, infinity, special)));
    return std::isnan(magnitude) ? word(Limits::quiet_NaN()) : word(magnitude);
  };
  const double infinity = std::numeric_limits<double>::infinity();
  plan.emplace();
  plan->drop = drop;
  // The lowest subnormals of Real lie on the same grid as its least normal numbers.
  const bool has_low = is_flushing || !is_lowest;
  plan->least_normal = has_low ? word(std::ldexp(1.0, grid->least_log2)) : 0;
  plan->least_field = plan->least_normal >> (Limits::digits - 1);
  plan->low_drop = is_flushing ? static_cast<Word>(Limits::digits - 1) : drop;
  // Unused then; a subnormal factor would only cost time.
  plan->scale = has_low ? word(std::ldexp(1.0, scale_log2)) : word(1);
  plan->max_positive = word(max_finite(f));
  plan->max_negative = word(std::fabs(decode(f, encode(f, -infinity))));
  plan->overflow_positive = beyond(infinity);
  plan->overflow_negative = beyond(-infinity);
  plan->is_flushing = is_flushing;
  plan->odd_overflows = (encode(f, max_finite(f)) & 1) == 0;
  plan->keeps_sign = f.is_signed;
  plan->keeps_minus_zero = f.kind == ElementKind::kFloat && f.is_signed;
  return plan;
}

RoundingMode coded_mode(EmulatedMode mode, bool is_negative, uint32_t word) {
  switch (mode) {
    case EmulatedMode::kNearestEven: return RoundingMode::kNearestEven;
    case EmulatedMode::kNearestAway:
    case EmulatedMode::kNearestZero: return RoundingMode::kNearestAway;
    case EmulatedMode::kTowardZero: return RoundingMode::kTowardZero;
    case EmulatedMode::kUp: return RoundingMode::kUp;
    case EmulatedMode::kDown: return RoundingMode::kDown;
    case EmulatedMode::kToOdd: return RoundingMode::kToOdd;
    case EmulatedMode::kStochastic: return RoundingMode::kStochastic;
    case EmulatedMode::kCoinFlip: break;
  }
  const bool is_outward = (word >> 31) != 0;
  if (!is_outward) return RoundingMode::kTowardZero;
  return is_negative ? RoundingMode::kDown : RoundingMode::kUp;
}

/// Where only 0 and `least`, the least normal number, exist. Pre: 0 < |value| < least.
double flushed(double value, double least, EmulatedMode mode, uint32_t word) {
  const double magnitude = std::fabs(value);
  const bool is_negative = std::signbit(value);
  bool is_outward = true;
  switch (mode) {
    case EmulatedMode::kNearestEven:
    case EmulatedMode::kNearestAway: is_outward = magnitude >= least / 2; break;
    case EmulatedMode::kNearestZero: is_outward = magnitude > least / 2; break;
    case EmulatedMode::kTowardZero: is_outward = false; break;
    case EmulatedMode::kUp: is_outward = !is_negative; break;
    case EmulatedMode::kDown: is_outward = is_negative; break;
    case EmulatedMode::kToOdd: break;
    case EmulatedMode::kStochastic: is_outward = word * 0x1p-32 < magnitude / least; break;
    case EmulatedMode::kCoinFlip: is_outward = (word >> 31) != 0; break;
  }
  return std::copysign(is_outward ? least : 0.0, value);
}

template <class Real>
void round_by_reference(std::span<const Real> values, const EmulatedRounding& rounding,
                        std::span<Real> out, int64_t first_index) {
  for (size_t i = 0; i < values.size(); ++i) {
    out[i] = static_cast<Real>(round_value_reference(static_cast<double>(values[i]), rounding,
                                                     first_index + static_cast<int64_t>(i)));
  }
}

template <class Real>
void round_by(RoundArrayPath path, std::span<const Real> values, const EmulatedRounding& rounding,
              std::span<Real> out, int64_t first_index) {
  ANYBIT_CHECK(values.size() == out.size() && first_index >= 0);
  const auto plan = plan_of<Real>(rounding);
  if (path == RoundArrayPath::kReference || !plan) {
    return round_by_reference(values, rounding, out, first_index);
  }
  const auto count = static_cast<int64_t>(values.size());
  const internal::RandomSource random{rounding.seed, rounding.stream, first_index};
  if (path == RoundArrayPath::kAvx2) {
    internal::round_array_avx2(values.data(), out.data(), count, *plan, rounding.mode, random);
  } else {
    internal::round_array_portable(values.data(), out.data(), count, *plan, rounding.mode, random);
  }
}

RoundArrayPath best_path() {
  return CpuFeatures::host().avx2 ? RoundArrayPath::kAvx2 : RoundArrayPath::kPortable;
}

}  // namespace

uint32_t emulated_random_word(uint64_t seed, uint64_t stream, int64_t index) {
  return Philox(seed, stream).words(static_cast<uint64_t>(index) / 4)[index % 4];
}

double round_value_reference(double value, const EmulatedRounding& rounding, int64_t index) {
  if (std::isnan(value)) return value;
  const ElementFormat& f = rounding.format;
  const uint32_t word = internal::is_random(rounding.mode)
                            ? emulated_random_word(rounding.seed, rounding.stream, index)
                            : 0;
  const bool is_negative = std::signbit(value);
  const double least = std::ldexp(1.0, 1 - f.exponent_bias);
  if (flushes(rounding) && value != 0 && std::fabs(value) < least) {
    const double result = flushed(value, least, rounding.mode, word);
    return is_negative && !f.is_signed ? 0 : result;
  }
  // The tie itself, but nothing beyond it, moves to the other side of the middle. (Middles of lns
  // values may not be doubles: they are no ties then.)
  const bool is_tie_moved = rounding.mode == EmulatedMode::kNearestZero && std::isfinite(value);
  if (is_tie_moved && f.kind == ElementKind::kLns) {
    const double inner = decode(f, encode(f, value, {RoundingMode::kTowardZero, {}}));
    const double outer = decode(f, encode(f, value, {RoundingMode::kNearestAway, {}}));
    const double sum = inner + outer;
    const bool is_tie = sum == 2 * value && outer - (sum - inner) == 0 && inner != outer;
    return is_tie ? inner : decode(f, encode(f, value, {RoundingMode::kNearestEven, {}}));
  }
  const double moved = is_tie_moved && value != 0 ? std::nextafter(value, 0.0) : value;
  const Rounding coded{coded_mode(rounding.mode, is_negative, word), rounding.overflow};
  return decode(f, encode(f, moved, coded, uint64_t{word} << 32));
}

void round_array(std::span<const float> values, const EmulatedRounding& rounding,
                 std::span<float> out, int64_t first_index) {
  const bool is_identity =
      rounding.format == kF32 && rounding.has_subnormals && rounding.overflow == Overflow::kSpecial;
  if (is_identity) {
    if (out.data() != values.data()) std::copy(values.begin(), values.end(), out.begin());
    return;
  }
  round_by(best_path(), values, rounding, out, first_index);
}

void round_array(std::span<const double> values, const EmulatedRounding& rounding,
                 std::span<double> out, int64_t first_index) {
  round_by(best_path(), values, rounding, out, first_index);
}

void round_array_by(RoundArrayPath path, std::span<const float> values,
                    const EmulatedRounding& rounding, std::span<float> out, int64_t first_index) {
  round_by(path, values, rounding, out, first_index);
}

void round_array_by(RoundArrayPath path, std::span<const double> values,
                    const EmulatedRounding& rounding, std::span<double> out, int64_t first_index) {
  round_by(path, values, rounding, out, first_index);
}

}  // namespace anybit::numeric
