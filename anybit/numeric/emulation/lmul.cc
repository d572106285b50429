#include "anybit/numeric/emulation/lmul.h"

#include <algorithm>
#include <bit>

#include "anybit/base/check.h"

namespace anybit::numeric {
namespace {

constexpr uint32_t kSign = uint32_t{1} << 31;
constexpr uint32_t kInfinity = 0x7F800000;
constexpr uint32_t kOne = 0x3F800000;
constexpr uint32_t kLeastNormal = 0x00800000;

// The constants of a unit in float's own bits.
struct Adder {
  uint32_t half;    // Half a unit of the last place kept, less one; 0 if all bits are kept.
  int drop;         // Mantissa bits dropped.
  uint32_t offset;  // 2^-l in units of float's last place.
};

Adder adder_of(const LMul& unit) {
  ANYBIT_CHECK(unit.mantissa_bits >= 1 && unit.mantissa_bits <= 23);
  const int l = unit.offset_log2.value_or(1);
  ANYBIT_CHECK(l > 0 && l <= unit.mantissa_bits);
  const int drop = 23 - unit.mantissa_bits;
  return {drop == 0 ? 0 : (uint32_t{1} << (drop - 1)) - 1, drop,
          unit.offset_log2 ? uint32_t{1} << (23 - l) : 0};
}

/// The magnitude's bits rounded to the unit's mantissa, and 0 for zero and subnormals. Infinity and
/// NaN stay such.
uint32_t operand_magnitude(float x, const Adder& adder) {
  const uint32_t magnitude = std::bit_cast<uint32_t>(x) & ~kSign;
  const uint32_t odd = adder.drop == 0 ? 0 : magnitude >> adder.drop & 1;
  const uint32_t rounded = (magnitude + adder.half + odd) >> adder.drop << adder.drop;
  const uint32_t kept = magnitude >= kInfinity ? magnitude : rounded;
  return magnitude < kLeastNormal ? 0 : kept;
}

/// Of finite magnitudes from operand_magnitude().
uint32_t product_magnitude(uint32_t x, uint32_t y, uint32_t offset) {
  // The sum of two exponents' fields, less the bias, in 64 bits: no wrap in either direction.
  const int64_t sum = int64_t{x} + y - kOne + offset;
  const int64_t bounded = std::min<int64_t>(sum, kInfinity);
  const bool is_zero = x == 0 || y == 0 || sum < kLeastNormal;
  return is_zero ? 0 : static_cast<uint32_t>(bounded);
}

float multiply(float x, float y, const Adder& adder) {
  const uint32_t a = operand_magnitude(x, adder), b = operand_magnitude(y, adder);
  const uint32_t sign = (std::bit_cast<uint32_t>(x) ^ std::bit_cast<uint32_t>(y)) & kSign;
  if (a < kInfinity && b < kInfinity) [[likely]] {
    return std::bit_cast<float>(sign | product_magnitude(a, b, adder.offset));
  }
  const auto operand = [](float v, uint32_t magnitude) {
    return std::bit_cast<float>((std::bit_cast<uint32_t>(v) & kSign) | magnitude);
  };
  return operand(x, a) * operand(y, b);
}

}  // namespace

float lmul(float x, float y, const LMul& unit) { return multiply(x, y, adder_of(unit)); }

void lmul_matmul(std::span<const float> a, std::span<const float> b, int64_t m, int64_t n,
                 int64_t k, const LMul& unit, std::span<float> c, Threads threads) {
  ANYBIT_CHECK(static_cast<int64_t>(a.size()) == m * k && static_cast<int64_t>(b.size()) == k * n);
  ANYBIT_CHECK(static_cast<int64_t>(c.size()) == m * n);
  const Adder adder = adder_of(unit);
  parallel_for(threads, m, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      float* sums = c.data() + i * n;
      std::fill(sums, sums + n, 0.0f);
      for (int64_t kk = 0; kk < k; ++kk) {
        const float x = a[i * k + kk];
        const float* row = b.data() + kk * n;
        for (int64_t j = 0; j < n; ++j) sums[j] += multiply(x, row[j], adder);
      }
    }
  });
}

float lmul_dot(std::span<const float> a, std::span<const float> b, const LMul& unit) {
  ANYBIT_CHECK(a.size() == b.size());
  float sum = 0;
  lmul_matmul(a, b, 1, 1, static_cast<int64_t>(a.size()), unit, {&sum, 1});
  return sum;
}

}  // namespace anybit::numeric
