#include "anybit/numeric/internal/lns_table.h"

#include <array>
#include <cmath>
#include <memory>

namespace anybit::numeric::internal {
namespace {

// An unevaluated sum of two doubles, about 2^-104 of relative precision. Source: Dekker 1971, "A
// floating-point technique for extending the available precision".
struct DoubleDouble {
  double high;
  double low;
};

DoubleDouble normalized(double high, double low) {
  const double sum = high + low;
  return {sum, low - (sum - high)};
}

DoubleDouble product(DoubleDouble a, DoubleDouble b) {
  const double high = a.high * b.high;
  const double error = std::fma(a.high, b.high, -high);
  return normalized(high, error + (a.high * b.low + a.low * b.high));
}

DoubleDouble square_root(DoubleDouble a) {
  const double root = std::sqrt(a.high);
  const double residual = std::fma(-root, root, a.high) + a.low;
  return normalized(root, residual / (2 * root));
}

constexpr size_t kEntries = size_t{1} << kLnsTableBits;

// Products of the roots 2^(1/2), 2^(1/4), ... A double-double is wrong by less than 2^-98 here, and
// no entry lies so near to the middle of two doubles (all are checked against MPFR), so its high
// part is correctly rounded.
std::unique_ptr<const std::array<double, kEntries>> make_table() {
  auto exact = std::make_unique<std::array<DoubleDouble, kEntries>>();
  (*exact)[0] = {1, 0};
  DoubleDouble root = {2, 0};
  for (size_t step = kEntries / 2; step > 0; step /= 2) {
    root = square_root(root);
    for (size_t j = 0; j < kEntries; j += 2 * step) {
      (*exact)[j + step] = product((*exact)[j], root);
    }
  }
  auto table = std::make_unique<std::array<double, kEntries>>();
  for (size_t j = 0; j < kEntries; ++j) (*table)[j] = (*exact)[j].high;
  return table;
}

}  // namespace

std::span<const double> lns_significands() {
  static const std::unique_ptr<const std::array<double, kEntries>> table = make_table();
  return *table;
}

}  // namespace anybit::numeric::internal
