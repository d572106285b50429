// One lane at a time, in plain integers.
#include <bit>
#include <limits>
#include <type_traits>

#include "anybit/numeric/emulation/internal/round_array_paths.h"

namespace anybit::numeric::internal {
namespace {

template <class Real>
struct ScalarLane {
  using Word = std::conditional_t<sizeof(Real) == 4, uint32_t, uint64_t>;
  using Signed = std::make_signed_t<Word>;
  using Bits = Word;
  static constexpr Word kMantissaBits = std::numeric_limits<Real>::digits - 1;
  static constexpr Word kSignBit = Word{1} << (8 * sizeof(Real) - 1);

  static Bits mask(bool condition) { return condition ? ~Word{0} : 0; }
  static Bits splat(Word x) { return x; }
  static Bits add(Bits a, Bits b) { return a + b; }
  static Bits sub(Bits a, Bits b) { return a - b; }
  static Bits bit_and(Bits a, Bits b) { return a & b; }
  static Bits bit_or(Bits a, Bits b) { return a | b; }
  static Bits bit_andnot(Bits m, Bits x) { return ~m & x; }
  static Bits shift_left(Bits x, Bits n) { return n < 8 * sizeof(Word) ? x << n : 0; }
  static Bits shift_right(Bits x, Bits n) { return n < 8 * sizeof(Word) ? x >> n : 0; }
  static Bits greater(Bits a, Bits b) {
    return mask(static_cast<Signed>(a) > static_cast<Signed>(b));
  }
  static Bits greater_unsigned(Bits a, Bits b) { return mask(a > b); }
  static Bits equal(Bits a, Bits b) { return mask(a == b); }
  static Bits select(Bits m, Bits yes, Bits no) { return (m & yes) | (~m & no); }
  static Bits scaled_integer(Bits k, Bits scale) {
    return std::bit_cast<Word>(static_cast<Real>(k) * std::bit_cast<Real>(scale));
  }
};

template <class Real, class Word>
void round_all(const Real* values, Real* out, int64_t count, const RoundPlan<Word>& plan,
               EmulatedMode mode, RandomSource random) {
  with_mode(mode, [&]<EmulatedMode Mode>() {
    for (int64_t i = 0; i < count; ++i) {
      Word word = 0;
      if constexpr (is_random(Mode)) {
        word = static_cast<Word>(
                   emulated_random_word(random.seed, random.stream, random.first_index + i))
               << (8 * sizeof(Word) - 32);
      }
      out[i] = std::bit_cast<Real>(
          round_lanes<ScalarLane<Real>, Mode>(std::bit_cast<Word>(values[i]), plan, word));
    }
  });
}

}  // namespace

void round_array_portable(const float* values, float* out, int64_t count,
                          const RoundPlan<uint32_t>& plan, EmulatedMode mode, RandomSource random) {
  round_all(values, out, count, plan, mode, random);
}

void round_array_portable(const double* values, double* out, int64_t count,
                          const RoundPlan<uint64_t>& plan, EmulatedMode mode, RandomSource random) {
  round_all(values, out, count, plan, mode, random);
}

}  // namespace anybit::numeric::internal
