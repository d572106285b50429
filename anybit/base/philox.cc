#include "anybit/base/philox.h"

#include <cmath>
#include <numbers>

namespace anybit {

double Philox::normal(uint64_t index) const {
  const std::array<uint32_t, 4> x = words(index);
  const double u = (static_cast<double>(uint64_t{x[1]} << 21 ^ x[0] >> 11) + 0.5) * 0x1p-53;
  const double angle = 2 * std::numbers::pi * 0x1p-32 * x[2];
  return std::sqrt(-2 * std::log(u)) * std::cos(angle);
}

}  // namespace anybit
