// decode() and encode() against definitions computed with MPFR, for every format and mode.
#include <gtest/gtest.h>
#include <mpfr.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "anybit/base/philox.h"
#include "anybit/numeric/element_format.h"

namespace anybit::numeric {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

// Wide enough for sums and 64-bit multiples of any doubles without rounding.
constexpr mpfr_prec_t kExactBits = 2400;

class Real {
 public:
  explicit Real(double value = 0, mpfr_prec_t bits = kExactBits) {
    mpfr_init2(x_, bits);
    mpfr_set_d(x_, value, MPFR_RNDN);
  }
  ~Real() { mpfr_clear(x_); }
  Real(const Real&) = delete;
  Real& operator=(const Real&) = delete;
  mpfr_ptr get() { return x_; }

 private:
  mpfr_t x_;
};

// ---- The definitions, bit by bit ---------------------------------------------------------------

double reference_float(const ElementFormat& f, uint32_t code) {
  const bool negative = f.is_signed && (code >> (f.bits - 1) & 1) != 0;
  int field = 0, fraction = 0;
  for (int i = f.exponent_bits - 1; i >= 0; --i) {
    field = 2 * field + static_cast<int>(code >> (f.mantissa_bits + i) & 1);
  }
  for (int i = f.mantissa_bits - 1; i >= 0; --i) fraction = 2 * fraction + (code >> i & 1);
  const bool top = field == (1 << f.exponent_bits) - 1;
  const bool full = fraction == (1 << f.mantissa_bits) - 1;
  const double sign = negative ? -1 : 1;
  if (f.specials == Specials::kIeee && top) return fraction == 0 ? sign * kInfinity : kNan;
  if (f.specials == Specials::kNanOnly && top && full) return kNan;
  const double scaled = std::ldexp(fraction, -f.mantissa_bits);
  if (!f.is_signed && f.mantissa_bits == 0) return std::ldexp(1, field - f.exponent_bias);
  if (field == 0) return sign * std::ldexp(scaled, 1 - f.exponent_bias);
  return sign * std::ldexp(1 + scaled, field - f.exponent_bias);
}

// Posit Standard 2022, section 3.3: the value of a bit string.
double reference_posit(int bits, int es, uint32_t code) {
  const uint32_t mask = (uint32_t{1} << bits) - 1;
  if (code == 0) return 0;
  if (code == uint32_t{1} << (bits - 1)) return kNan;
  const bool negative = (code >> (bits - 1)) != 0;
  const uint32_t string = negative ? (~code + 1) & mask : code;
  int at = bits - 2;
  const auto next_bit = [&] { return at < 0 ? 0 : static_cast<int>(string >> at-- & 1); };
  const int first = next_bit();
  int run = 1;
  while (at >= 0 && static_cast<int>(string >> at & 1) == first) ++run, --at;
  next_bit();  // The bit that ends the regime, if any.
  const int regime = first == 1 ? run - 1 : -run;
  int exponent = 0;
  for (int i = 0; i < es; ++i) exponent = 2 * exponent + next_bit();
  double significand = 1, weight = 0.5;
  for (; at >= 0; weight /= 2) significand += next_bit() * weight;
  const double value = std::ldexp(significand, regime * (1 << es) + exponent);
  return negative ? -value : value;
}

double reference_lns(const ElementFormat& f, uint32_t code) {
  const int field_bits = f.bits - 1;
  int logarithm = static_cast<int>(code & ((uint32_t{1} << field_bits) - 1));
  if (logarithm >= 1 << (field_bits - 1)) logarithm -= 1 << field_bits;
  const double sign = (code >> field_bits) != 0 ? -1 : 1;
  if (logarithm == -(1 << (field_bits - 1))) return sign * 0.0;
  Real exponent(std::ldexp(logarithm, -f.mantissa_bits), 64), power(0, 53);
  mpfr_exp2(power.get(), exponent.get(), MPFR_RNDN);
  return sign * mpfr_get_d(power.get(), MPFR_RNDN);
}

double reference_decode(const ElementFormat& f, uint32_t code) {
  const int64_t all = int64_t{1} << f.bits;
  const int64_t as_signed = code >= all / 2 ? code - all : code;
  switch (f.kind) {
    case ElementKind::kFloat: return reference_float(f, code);
    case ElementKind::kPosit: return reference_posit(f.bits, f.exponent_bits, code);
    case ElementKind::kLns: return reference_lns(f, code);
    case ElementKind::kInt: return std::ldexp(static_cast<double>(as_signed), -f.mantissa_bits);
    case ElementKind::kUint: return std::ldexp(code, -f.mantissa_bits);
    case ElementKind::kTernary: return code == 2 ? kNan : static_cast<double>(as_signed);
    default: return 2.0 * code - static_cast<double>(all - 1);
  }
}

// ---- Rounding by the definition ----------------------------------------------------------------

struct Point {
  double value;
  uint32_t code;
  bool is_overflow = false;  // The value the next code would have if the range went on.
};

// The finite values of a format, ascending; rounding by search among them.
class Reference {
 public:
  explicit Reference(const ElementFormat& f) : f_(f) {
    for (uint32_t code = 0; code < f.num_codes(); ++code) {
      const double value = reference_decode(f, code);
      if (value == 0 && std::signbit(value)) continue;
      if (std::isfinite(value)) points_.push_back({value, code});
    }
    const auto by_value = [](const Point& a, const Point& b) { return a.value < b.value; };
    std::sort(points_.begin(), points_.end(), by_value);
    if (f.kind == ElementKind::kFloat && f.specials != Specials::kNone) add_overflow();
  }

  const std::vector<Point>& points() const { return points_; }

  // The values where something changes: those of the format, the middles, and beyond the ends.
  std::vector<double> turning_points() const {
    std::vector<double> at = {0.0, -0.0, 5e-324, -5e-324, 1e300, -1e300, 0.1, -0.1};
    for (size_t i = 0; i < points_.size(); ++i) {
      at.push_back(points_[i].value);
      if (i > 0) at.push_back(tie_point(points_[i - 1], points_[i]));
    }
    for (const double end : {points_.front().value, points_.back().value}) {
      at.insert(at.end(), {end * 1.25, end * 1.5, end * 2, end + 0.5, end - 0.5});
    }
    return at;
  }

  uint32_t encode(double x, Rounding rounding, uint64_t random) const {
    if (x == 0 && !std::signbit(x) && has_zero()) return find(0.0).code;
    if (x < 0 && !f_.is_signed) return points_.front().code;
    const auto above = std::upper_bound(points_.begin(), points_.end(), x,
                                        [](double v, const Point& p) { return v < p.value; });
    const Point none_below = points_.front(), none_above = points_.back();
    const Point lower = above == points_.begin() ? none_below : above[-1];
    const Point upper = above == points_.end() ? none_above : *above;
    if (lower.value == x && !lower.is_overflow) return signed_zero(lower, x);
    if (above == points_.begin()) return overflow(lower, rounding, x, true);
    if (above == points_.end()) return overflow(upper, rounding, x, true);
    const Point chosen = choose(lower, upper, x, rounding.mode, random);
    return chosen.is_overflow ? overflow(chosen, rounding, x, false) : signed_zero(chosen, x);
  }

 private:
  bool has_zero() const {
    return std::any_of(points_.begin(), points_.end(), [](const Point& p) { return p.value == 0; });
  }
  Point find(double value) const {
    return *std::find_if(points_.begin(), points_.end(),
                         [value](const Point& p) { return p.value == value; });
  }

  // Above the largest value of a format with infinity or NaN: as if one more code were finite.
  void add_overflow() {
    const Point top = points_.back();
    ElementFormat unbounded = f_;
    unbounded.specials = Specials::kNone;
    const double next = reference_float(unbounded, top.code + 1);
    points_.push_back({next, top.code + 1, true});
    if (!f_.is_signed) return;
    points_.insert(points_.begin(), {-next, points_.front().code + 1, true});
  }

  // -0 for what is negative and rounds to 0, where the format has it.
  uint32_t signed_zero(const Point& p, double x) const {
    const bool has_minus_zero = f_.kind == ElementKind::kFloat || f_.kind == ElementKind::kLns;
    if (p.value != 0 || !std::signbit(x) || !f_.is_signed || !has_minus_zero) return p.code;
    return p.code | uint32_t{1} << (f_.bits - 1);
  }

  uint32_t overflow(const Point& end, Rounding rounding, double x, bool is_beyond) const {
    if (!end.is_overflow) return end.code;  // No room for infinity: saturate.
    const uint32_t largest = end.code - 1;
    const bool positive = x > 0;
    bool outward = true;
    if (rounding.mode == RoundingMode::kTowardZero) outward = false;
    if (rounding.mode == RoundingMode::kUp) outward = positive;
    if (rounding.mode == RoundingMode::kDown) outward = !positive;
    if (rounding.mode == RoundingMode::kToOdd) outward = (largest & 1) == 0;
    if (!is_beyond) outward = true;  // choose() has decided.
    return outward && rounding.overflow == Overflow::kSpecial ? end.code : largest;
  }

  double tie_point(const Point& lower, const Point& upper) const {
    if (f_.kind != ElementKind::kPosit) return lower.value / 2 + upper.value / 2;
    const uint32_t all = uint32_t{1} << (f_.bits + 1);
    return reference_posit(f_.bits + 1, f_.exponent_bits, (2 * lower.code + 1) % all);
  }

  // The sign of x - (point where nearest rounding changes).
  int against_tie(const Point& lower, const Point& upper, double x) const {
    if (f_.kind == ElementKind::kPosit) {
      if (lower.value == 0 || upper.value == 0) return x > 0 ? 1 : -1;  // No underflow to 0.
      const double tie = tie_point(lower, upper);
      return x < tie ? -1 : x > tie;
    }
    Real sum(lower.value), twice(x);
    mpfr_add_d(sum.get(), sum.get(), upper.value, MPFR_RNDN);
    mpfr_mul_2ui(twice.get(), twice.get(), 1, MPFR_RNDN);
    const int order = mpfr_cmp(twice.get(), sum.get());
    return order < 0 ? -1 : order > 0;
  }

  // random < 2^64 * (distance from the inner neighbour) / (distance of the neighbours).
  static bool goes_outward(const Point& inner, const Point& outer, double x, uint64_t random) {
    Real way(x), gap(outer.value);
    mpfr_sub_d(way.get(), way.get(), inner.value, MPFR_RNDN);
    mpfr_sub_d(gap.get(), gap.get(), inner.value, MPFR_RNDN);
    mpfr_mul_2ui(way.get(), way.get(), 64, MPFR_RNDN);
    mpfr_mul_ui(gap.get(), gap.get(), random, MPFR_RNDN);
    return mpfr_cmpabs(gap.get(), way.get()) < 0;
  }

  Point choose(const Point& lower, const Point& upper, double x, RoundingMode mode,
               uint64_t random) const {
    const bool spans_zero = lower.value < 0 && upper.value > 0;
    const bool positive = !std::signbit(x);
    const Point& inner = positive ? lower : upper;
    const Point& outer = positive ? upper : lower;
    const int order = against_tie(lower, upper, x);
    const Point& even = (lower.code & 1) == 0 ? lower : upper;
    const Point& odd = (lower.code & 1) == 0 ? upper : lower;
    switch (mode) {
      case RoundingMode::kNearestEven: return order == 0 ? even : order < 0 ? lower : upper;
      case RoundingMode::kNearestAway: return order == 0 ? outer : order < 0 ? lower : upper;
      case RoundingMode::kTowardZero: return spans_zero ? outer : inner;
      case RoundingMode::kUp: return upper;
      case RoundingMode::kDown: return lower;
      case RoundingMode::kToOdd: return odd;
      case RoundingMode::kStochastic: return goes_outward(inner, outer, x, random) ? outer : inner;
    }
    return lower;
  }

  ElementFormat f_;
  std::vector<Point> points_;
};

constexpr RoundingMode kModes[] = {RoundingMode::kNearestEven, RoundingMode::kNearestAway,
                                   RoundingMode::kTowardZero,  RoundingMode::kUp,
                                   RoundingMode::kDown,        RoundingMode::kToOdd};

// Random words around 2^64 times the share of x, whichever neighbours it has: its leading bits.
std::vector<uint64_t> random_words(double x, uint64_t index) {
  const uint64_t word = Philox(11).bits64(index);
  int exponent = 0;
  const auto share = static_cast<uint64_t>(std::fabs(std::frexp(x, &exponent)) * 0x1p63) << 1;
  return {0, ~uint64_t{0}, word, share, share - 1, uint64_t{1} << 63, (uint64_t{1} << 63) - 1};
}

void check_encode(const std::string& name, double x, const Reference& reference, uint64_t index,
                  bool with_stochastic) {
  const ElementFormat f = parse_element_format(name).value();
  for (const Overflow overflow : {Overflow::kSaturate, Overflow::kSpecial}) {
    for (const RoundingMode mode : kModes) {
      ASSERT_EQ(encode(f, x, {mode, overflow}), reference.encode(x, {mode, overflow}, 0))
          << name << " " << testing::PrintToString(x) << std::hexfloat << " " << x << " "
          << numeric::name(mode) << " overflow " << static_cast<int>(overflow);
    }
    if (!with_stochastic) continue;
    const Rounding rounding{RoundingMode::kStochastic, overflow};
    for (const uint64_t word : random_words(x, index)) {
      ASSERT_EQ(encode(f, x, rounding, word), reference.encode(x, rounding, word))
          << name << std::hexfloat << " " << x << " stochastic, random " << word;
    }
  }
}

// Every turning point and its two neighbouring doubles.
void check_turning_points(const std::string& name, size_t stride, bool with_stochastic) {
  const Reference reference(parse_element_format(name).value());
  const std::vector<double> points = reference.turning_points();
  for (size_t i = 0; i < points.size(); i += i < 64 ? 1 : stride) {
    const double x = points[i];
    for (const double near : {x, std::nextafter(x, -kInfinity), std::nextafter(x, kInfinity)}) {
      if (!std::isfinite(near)) continue;
      check_encode(name, near, reference, i, with_stochastic);
      if (testing::Test::HasFatalFailure()) return;
    }
  }
}

TEST(ElementCodec, EveryCodeDecodesToItsDefinition) {
  for (const std::string& name : all_format_names()) {
    const ElementFormat f = parse_element_format(name).value();
    for (uint32_t code = 0; code < f.num_codes(); ++code) {
      const double expected = reference_decode(f, code), found = decode(f, code);
      if (std::isnan(expected)) {
        ASSERT_TRUE(std::isnan(found)) << name << " " << code;
      } else {
        ASSERT_EQ(found, expected) << name << " " << code;
        ASSERT_EQ(std::signbit(found), std::signbit(expected)) << name << " " << code;
      }
    }
  }
}

TEST(ElementCodec, EveryCodeIsAFixedPointOfEveryMode) {
  for (const std::string& name : all_format_names()) {
    const ElementFormat f = parse_element_format(name).value();
    for (uint32_t code = 0; code < f.num_codes(); ++code) {
      const double value = decode(f, code);
      const bool is_finite = std::isfinite(value);
      if (std::isnan(value)) continue;
      for (int mode = 0; mode <= static_cast<int>(RoundingMode::kStochastic); ++mode) {
        const Rounding rounding{static_cast<RoundingMode>(mode),
                                is_finite ? Overflow::kSaturate : Overflow::kSpecial};
        ASSERT_EQ(encode(f, value, rounding, 0), code) << name << " mode " << mode;
      }
    }
  }
}

TEST(ElementCodec, NarrowFormatsRoundExactlyAtEveryTurningPoint) {
  for (const std::string& name : all_format_names()) {
    const int bits = parse_element_format(name).value().bits;
    if (bits <= 8) check_turning_points(name, bits <= 6 ? 1 : 3, true);
    if (HasFatalFailure()) return;
  }
}

TEST(ElementCodec, ImportantEightBitFormatsRoundExactlyEverywhere) {
  for (const char* name : {"e4m3", "e4m3fin", "e4m3ieee", "e5m2", "e3m4", "e2m5", "e8m0", "int8",
                           "uint8", "int8f6", "posit8_0", "posit8_1", "posit8_2", "lns8_3",
                           "bipolar8", "e4m3b11fn", "posit9_1", "e5m4", "lns10_4"}) {
    check_turning_points(name, 1, true);
    if (HasFatalFailure()) return;
  }
}

TEST(ElementCodec, WideFormatsRoundExactlyAtTurningPoints) {
  for (const char* name : {"f16", "bf16", "posit16_1", "posit16_2", "posit16_6", "lns16_5",
                           "lns16_14", "int16", "uint16", "e3m12", "e0m15", "e10m5", "ue8m8",
                           "bipolar16", "posit12_2", "e5m10", "e5m10fn"}) {
    check_turning_points(name, 17, false);
    if (HasFatalFailure()) return;
  }
}

// f32 and tf32 are too wide to list: the hardware's own conversion is the reference.
TEST(ElementCodec, F32MatchesTheHardware) {
  const Philox random(5);
  for (uint64_t i = 0; i < 300000; ++i) {
    const auto bits = static_cast<uint32_t>(random.bits64(i));
    const float f = std::bit_cast<float>(bits);
    if (std::isnan(f)) continue;
    ASSERT_EQ(encode(kF32, f, {RoundingMode::kToOdd, Overflow::kSpecial}), bits);
    ASSERT_EQ(decode(kF32, bits), static_cast<double>(f));
    const double x = std::bit_cast<double>(random.bits64(i) >> 2 | uint64_t{1} << 61 |
                                           random.bits64(i + 1) << 63);
    const double scaled = std::ldexp(x, -static_cast<int>(i % 800));
    if (std::isnan(scaled)) continue;
    ASSERT_EQ(encode(kF32, scaled, {RoundingMode::kNearestEven, Overflow::kSpecial}),
              std::bit_cast<uint32_t>(static_cast<float>(scaled)));
    // tf32 is f32 without its last 13 bits.
    ASSERT_EQ(encode(kTf32, f, {RoundingMode::kTowardZero, Overflow::kSpecial}), bits >> 13);
    ASSERT_EQ(decode(kTf32, bits >> 13),
              static_cast<double>(std::bit_cast<float>(bits >> 13 << 13)));
  }
}

TEST(ElementCodec, SpecialValues) {
  const Rounding special{RoundingMode::kTowardZero, Overflow::kSpecial};
  for (const std::string& name : all_format_names()) {
    const ElementFormat f = parse_element_format(name).value();
    const double of_nan = decode(f, encode(f, kNan));
    bool has_nan = false, has_infinity = false;
    for (uint32_t code = 0; code < f.num_codes(); ++code) {
      has_nan = has_nan || (std::isnan(decode(f, code)) && f.kind != ElementKind::kTernary);
      has_infinity = has_infinity || std::isinf(decode(f, code));
    }
    EXPECT_EQ(std::isnan(of_nan), has_nan) << name;
    if (!has_nan) {
      const bool has_zero = std::fabs(decode(f, encode(f, 0.0))) < min_positive(f);
      EXPECT_EQ(of_nan, has_zero || min_positive(f) == 0 ? 0 : min_positive(f)) << name;
    }
    EXPECT_EQ(decode(f, encode(f, kInfinity)), max_finite(f)) << name;
    EXPECT_EQ(decode(f, encode(f, 1e308)), max_finite(f)) << name;
    const double of_infinity = decode(f, encode(f, kInfinity, special));
    if (has_infinity) {
      EXPECT_EQ(of_infinity, kInfinity) << name;
    } else {
      EXPECT_EQ(std::isnan(of_infinity), has_nan) << name;
    }
    EXPECT_TRUE(std::isfinite(decode(f, encode(f, 1e308, special)))) << name;
  }
  const ElementFormat widest = parse_element_format("e11m4ieee").value();
  const double largest = std::numeric_limits<double>::max();
  EXPECT_EQ(decode(widest, encode(widest, largest, {RoundingMode::kNearestEven, {}})),
            max_finite(widest));
  EXPECT_EQ(decode(widest, encode(widest, largest, {RoundingMode::kUp, Overflow::kSpecial})),
            kInfinity);
}

TEST(ElementCodec, EncodesValuesThatAreSubnormalDoubles) {
  for (const char* name : {"ue4m3b1051", "e4m3b1060", "e3m2b1030", "e5m2b1040"}) {
    const auto f = parse_element_format(name);
    ASSERT_TRUE(f) << name;
    for (uint32_t code = 0; code < f->num_codes(); ++code) {
      const double value = decode(*f, code);
      if (!std::isfinite(value)) continue;
      EXPECT_EQ(decode(*f, encode(*f, value)), value) << name << " code " << code;
    }
  }
}

TEST(ElementCodec, LimitsAreTheTableExtremes) {
  for (const std::string& name : all_format_names()) {
    const ElementFormat f = parse_element_format(name).value();
    double largest = -kInfinity, least = kInfinity;
    for (uint32_t code = 0; code < f.num_codes(); ++code) {
      const double value = decode(f, code);
      if (!std::isfinite(value)) continue;
      largest = std::max(largest, value);
      if (value > 0) least = std::min(least, value);
    }
    EXPECT_EQ(max_finite(f), largest) << name;
    EXPECT_EQ(min_positive(f), least == kInfinity ? 0 : least) << name;
  }
}

// The mean of N draws of a two-valued variable with share p has deviation gap * sqrt(p (1-p) / N).
TEST(ElementCodec, StochasticRoundingIsUnbiased) {
  constexpr int kDraws = 100000;
  const Philox random(3);
  for (const char* name : {"e4m3", "e2m1", "int4", "posit8_1", "lns8_3", "bipolar3", "binary"}) {
    const ElementFormat f = parse_element_format(name).value();
    for (const double x : {0.3, -0.71, 0.9}) {
      double sum = 0;
      for (int i = 0; i < kDraws; ++i) {
        sum += decode(f, encode(f, x, {RoundingMode::kStochastic, {}}, random.bits64(i)));
      }
      const double low = decode(f, encode(f, x, {RoundingMode::kDown, {}}));
      const double high = decode(f, encode(f, x, {RoundingMode::kUp, {}}));
      const double share = (x - low) / (high - low);
      const double deviation = (high - low) * std::sqrt(share * (1 - share) / kDraws);
      EXPECT_NEAR(sum / kDraws, x, 4 * deviation) << name << " " << x;
    }
  }
}

}  // namespace
}  // namespace anybit::numeric
