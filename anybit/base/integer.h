// Integer arithmetic that the language lacks: rounding division, and products that report overflow.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

namespace anybit {

/// ceil(value / divisor). Pre: value >= 0, divisor > 0.
constexpr int64_t ceil_div(int64_t value, int64_t divisor) {
  return value / divisor + (value % divisor != 0);
}

/// The least multiple of `multiple` that is >= value. Pre: value >= 0, multiple > 0.
constexpr int64_t round_up(int64_t value, int64_t multiple) {
  return ceil_div(value, multiple) * multiple;
}

/// a * b, or nothing if either is negative or the product exceeds int64_t. For sizes from files.
constexpr std::optional<int64_t> checked_product(int64_t a, int64_t b) {
  int64_t product = 0;
  if (a < 0 || b < 0 || __builtin_mul_overflow(a, b, &product)) return std::nullopt;
  return product;
}

/// The product of all extents (1 for none), or nothing on a negative extent or overflow.
constexpr std::optional<int64_t> checked_num_elements(std::span<const int64_t> shape) {
  std::optional<int64_t> product = 1;
  for (const int64_t extent : shape) {
    product = checked_product(*product, extent);
    if (!product) return std::nullopt;
  }
  return product;
}

}  // namespace anybit
