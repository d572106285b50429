#include "anybit/numeric/emulation/round_array.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <string>
#include <type_traits>
#include <vector>

#include "anybit/base/cpu.h"
#include "anybit/base/philox.h"

namespace anybit::numeric {
namespace {

constexpr EmulatedMode kModes[] = {
    EmulatedMode::kNearestEven, EmulatedMode::kNearestAway, EmulatedMode::kNearestZero,
    EmulatedMode::kTowardZero,  EmulatedMode::kUp,          EmulatedMode::kDown,
    EmulatedMode::kToOdd,       EmulatedMode::kStochastic,  EmulatedMode::kCoinFlip};

const char* const kFormats[] = {
    "e4m3", "e5m2",     "e3m2",   "e2m3",     "e2m1",   "f16",      "bf16",   "tf32",
    "f32",  "e5m3fn",   "e1m2",   "e0m3",     "e6m9",   "ue4m3",    "ue5m3",  "e3m0",
    "e8m0", "int1",     "int4",   "int8f6",   "int16",  "uint4",    "uint16", "ternary",
    "e8m7", "e4m3ieee", "e2m1fn", "posit8_1", "lns8_3", "bipolar3", "binary", "e10m5"};

EmulatedRounding rule(const std::string& format, EmulatedMode mode) {
  EmulatedRounding rounding;
  rounding.format = parse_element_format(format).value();
  rounding.mode = mode;
  rounding.seed = 7;
  rounding.stream = 3;
  return rounding;
}

// Random bit patterns, and for the format: its values, middles, thresholds and their neighbours.
template <class Real>
std::vector<Real> inputs(const ElementFormat& f, int64_t num_random) {
  using Word = std::conditional_t<sizeof(Real) == 4, uint32_t, uint64_t>;
  const Philox random(1);
  std::vector<Real> x = {0,
                         -Real{0},
                         std::numeric_limits<Real>::infinity(),
                         -std::numeric_limits<Real>::infinity(),
                         std::numeric_limits<Real>::denorm_min(),
                         std::numeric_limits<Real>::max()};
  for (int64_t i = 0; i < num_random; ++i) {
    x.push_back(std::bit_cast<Real>(static_cast<Word>(random.bits64(i))));
    const double near = max_finite(f) * std::exp2(-24 * random.uniform(i)) * 1.5;
    x.push_back(static_cast<Real>(i % 2 == 0 ? near : -near));
  }
  for (int64_t i = 0; i < num_random; ++i) {
    const auto code = static_cast<uint32_t>(random.bits64(i) % f.num_codes());
    const auto next = static_cast<uint32_t>((code + 1) % f.num_codes());
    const double a = decode(f, code), b = decode(f, next);
    const Real middle = static_cast<Real>(a / 2 + b / 2);
    for (const Real at : {static_cast<Real>(a), middle}) {
      x.push_back(at);
      x.push_back(std::nextafter(at, std::numeric_limits<Real>::infinity()));
      x.push_back(std::nextafter(at, -std::numeric_limits<Real>::infinity()));
    }
  }
  return x;
}

template <class Real>
void expect_same(const std::vector<Real>& x, const std::vector<Real>& found,
                 const std::vector<Real>& expected, const std::string& what) {
  using Word = std::conditional_t<sizeof(Real) == 4, uint32_t, uint64_t>;
  for (size_t i = 0; i < x.size(); ++i) {
    if (std::isnan(found[i]) && std::isnan(expected[i])) continue;
    ASSERT_EQ(std::bit_cast<Word>(found[i]), std::bit_cast<Word>(expected[i]))
        << what << ": " << std::hexfloat << x[i] << " -> " << found[i] << ", expected "
        << expected[i];
  }
}

template <class Real>
void check_paths(int64_t num_random) {
  for (const std::string name : kFormats) {
    const std::vector<Real> x = inputs<Real>(parse_element_format(name).value(), num_random);
    std::vector<Real> expected(x.size()), found(x.size());
    for (const EmulatedMode mode : kModes) {
      for (int options = 0; options < 4; ++options) {
        EmulatedRounding rounding = rule(name, mode);
        rounding.overflow = (options & 1) != 0 ? Overflow::kSaturate : Overflow::kSpecial;
        rounding.has_subnormals = (options & 2) == 0;
        const std::string what = name + " mode " + std::to_string(static_cast<int>(mode)) +
                                 " options " + std::to_string(options);
        round_array_by(RoundArrayPath::kReference, x, rounding, expected, 5);
        round_array_by(RoundArrayPath::kPortable, x, rounding, found, 5);
        expect_same(x, found, expected, what + " portable");
        if (CpuFeatures::host().avx2) {
          round_array_by(RoundArrayPath::kAvx2, x, rounding, found, 5);
          expect_same(x, found, expected, what + " avx2");
        }
        round_array(x, rounding, found, 5);
        expect_same(x, found, expected, what);
        if (testing::Test::HasFatalFailure()) return;
      }
    }
  }
}

TEST(RoundArray, EveryPathGivesTheBitsOfEncodeAndDecodeOnFloats) { check_paths<float>(300); }
TEST(RoundArray, EveryPathGivesTheBitsOfEncodeAndDecodeOnDoubles) { check_paths<double>(300); }

// Sheet q39: a million inputs, the fast path against encode and decode.
TEST(RoundArray, AMillionInputsAgreeWithEncodeAndDecode) {
  for (const char* name : {"e4m3", "e5m2", "f16"}) {
    const EmulatedRounding rounding = rule(name, EmulatedMode::kNearestEven);
    const std::vector<float> x = inputs<float>(rounding.format, 125000);
    std::vector<float> found(x.size());
    round_array(x, rounding, found);
    const Rounding coded{RoundingMode::kNearestEven, Overflow::kSpecial};
    for (size_t i = 0; i < x.size(); ++i) {
      if (std::isnan(x[i])) continue;
      const double expected = decode(rounding.format, encode(rounding.format, x[i], coded));
      ASSERT_TRUE(found[i] == expected || (std::isnan(found[i]) && std::isnan(expected))) << x[i];
    }
  }
}

TEST(RoundArray, EveryCodeIsAFixedPoint) {
  for (const std::string& name : all_format_names()) {
    const ElementFormat f = parse_element_format(name).value();
    if (f.bits > 12 && name != "f16" && name != "bf16" && name != "posit16_1") continue;
    std::vector<double> values;
    for (uint32_t code = 0; code < f.num_codes(); ++code) {
      if (std::isfinite(decode(f, code))) values.push_back(decode(f, code));
    }
    std::vector<double> out(values.size());
    for (const EmulatedMode mode : kModes) {
      round_array(values, rule(name, mode), out);
      ASSERT_EQ(out, values) << name << " mode " << static_cast<int>(mode);
    }
  }
}

TEST(RoundArray, IsMonotoneAndOddSymmetric) {
  for (const char* name : {"e4m3", "e2m1", "bf16", "int4", "posit8_1"}) {
    std::vector<float> x = inputs<float>(parse_element_format(name).value(), 2000);
    std::erase_if(x, [](float v) { return !std::isfinite(v); });
    std::sort(x.begin(), x.end());
    std::vector<float> negated(x.size()), out(x.size()), negated_out(x.size());
    for (size_t i = 0; i < x.size(); ++i) negated[i] = -x[i];
    for (const EmulatedMode mode : kModes) {
      if (mode == EmulatedMode::kStochastic || mode == EmulatedMode::kCoinFlip) continue;
      EmulatedRounding rounding = rule(name, mode);
      rounding.overflow = Overflow::kSaturate;
      round_array(x, rounding, out);
      for (size_t i = 1; i < x.size(); ++i) ASSERT_LE(out[i - 1], out[i]) << name;
      // Two's complement reaches one further below zero.
      if (std::string(name) == "int4") continue;
      if (mode == EmulatedMode::kUp) rounding.mode = EmulatedMode::kDown;
      if (mode == EmulatedMode::kDown) rounding.mode = EmulatedMode::kUp;
      round_array(negated, rounding, negated_out);
      for (size_t i = 0; i < x.size(); ++i) ASSERT_EQ(negated_out[i], -out[i]) << name << x[i];
    }
  }
}

// N draws of two values a gap apart, the outer with probability p: mean within 4 deviations.
TEST(RoundArray, RandomModesHaveTheirMeans) {
  constexpr int kDraws = 100000;
  for (const double value : {0.3, -1.07, 0.0011, -13.9}) {
    const std::vector<double> x(kDraws, value);
    std::vector<double> out(kDraws);
    for (const EmulatedMode mode : {EmulatedMode::kStochastic, EmulatedMode::kCoinFlip}) {
      round_array(x, rule("e4m3", mode), out);
      const double low = *std::min_element(out.begin(), out.end());
      const double high = *std::max_element(out.begin(), out.end());
      double sum = 0;
      for (const double y : out) sum += y;
      const double share = mode == EmulatedMode::kStochastic ? (value - low) / (high - low) : 0.5;
      const double deviation = (high - low) * std::sqrt(share * (1 - share) / kDraws);
      EXPECT_NEAR(sum / kDraws, low + share * (high - low), 4 * deviation) << value;
    }
  }
}

TEST(RoundArray, RandomModesDoNotDependOnHowTheArrayIsCut) {
  const std::vector<float> x = inputs<float>(kE4M3, 300);
  std::vector<float> whole(x.size()), pieces(x.size());
  const EmulatedRounding rounding = rule("e4m3", EmulatedMode::kStochastic);
  round_array(x, rounding, whole);
  for (size_t begin = 0, size = 1; begin < x.size(); begin += size, size = size % 37 + 1) {
    size = std::min(size, x.size() - begin);
    round_array(std::span(x).subspan(begin, size), rounding, std::span(pieces).subspan(begin, size),
                static_cast<int64_t>(begin));
  }
  expect_same(x, pieces, whole, "pieces");
}

// Rounding to odd with two more bits, then to nearest, is rounding to nearest at once.
TEST(RoundArray, ToOddMakesDoubleRoundingSafe) {
  const std::vector<double> x = inputs<double>(kE4M3, 20000);
  std::vector<double> odd(x.size()), twice(x.size()), once(x.size()), careless(x.size());
  const EmulatedRounding nearest = rule("e4m3", EmulatedMode::kNearestEven);
  round_array(x, rule("e8m5", EmulatedMode::kToOdd), odd);
  round_array(odd, nearest, twice);
  round_array(x, nearest, once);
  expect_same(x, twice, once, "through odd");
  round_array(x, rule("e8m5", EmulatedMode::kNearestEven), careless);
  round_array(careless, nearest, twice);
  int64_t num_different = 0;
  for (size_t i = 0; i < x.size(); ++i) num_different += twice[i] < once[i] || twice[i] > once[i];
  EXPECT_GT(num_different, 0);  // What the odd step prevents does happen here.
}

}  // namespace
}  // namespace anybit::numeric
