#include "anybit/layout/internal/factors.h"

namespace anybit::layout::internal {

std::vector<Factor> factors_of(std::span<const Digit> digits) {
  std::vector<Factor> factors;
  int64_t place = 1;
  for (size_t i = digits.size(); i-- > 0;) {
    int64_t rest = digits[i].extent, stride = digits[i].stride;
    while (rest > 1) {
      const int64_t extent = rest % 2 == 0 ? 2 : rest;
      factors.push_back({extent, digits[i].dim, stride, place});
      place *= extent;
      stride *= extent;
      rest /= extent;
    }
  }
  return factors;
}

std::vector<Digit> digits_of(std::span<const Factor> factors) {
  std::vector<Digit> digits;
  for (size_t i = factors.size(); i-- > 0;) {
    digits.push_back({factors[i].extent, factors[i].dim, factors[i].stride});
  }
  return digits;
}

}  // namespace anybit::layout::internal
