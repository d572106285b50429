#include "anybit/quant/element_rounder.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <utility>

#include "anybit/base/check.h"

namespace anybit::quant {
namespace {

using numeric::ElementKind;

constexpr int kMaxTableBits = 8;

// Floats in ascending order as integers, so that bisection visits each float once.
int64_t ordinal(float x) {
  const auto bits = std::bit_cast<int32_t>(x);
  return bits >= 0 ? bits : int64_t{std::numeric_limits<int32_t>::min()} - bits;
}

float from_ordinal(int64_t ordinal) {
  const int64_t bits =
      ordinal >= 0 ? ordinal : int64_t{std::numeric_limits<int32_t>::min()} - ordinal;
  return std::bit_cast<float>(static_cast<int32_t>(bits));
}

// The least float in (low, high] that `goes_up`. Pre: goes_up(high) and not goes_up(low).
template <class Predicate>
float least_float_going_up(float low, float high, const Predicate& goes_up) {
  int64_t below = ordinal(low), above = ordinal(high);
  while (above - below > 1) {
    const int64_t middle = below + (above - below) / 2;
    (goes_up(from_ordinal(middle)) ? above : below) = middle;
  }
  return from_ordinal(above);
}

}  // namespace

ElementRounder::ElementRounder(const numeric::ElementFormat& format,
                               std::span<const float> codebook)
    : format_(format) {
  ANYBIT_CHECK(format.kind != ElementKind::kComplex);
  if (format.kind == ElementKind::kCodebook) {
    ANYBIT_CHECK(codebook.size() == format.num_codes());
    value_of_code_.assign(codebook.begin(), codebook.end());
    min_value_ = codebook.front();
    max_value_ = codebook.back();
    build_table();
    return;
  }
  max_value_ = numeric::max_finite(format);
  if (format.kind == ElementKind::kInt || format.kind == ElementKind::kUint) {
    is_integer_ = true;
    integer_scale_ = std::ldexp(1.0f, format.mantissa_bits);
    const bool is_signed = format.kind == ElementKind::kInt;
    min_code_ = is_signed ? -(int64_t{1} << (format.bits - 1)) : 0;
    max_code_ = (int64_t{1} << (is_signed ? format.bits - 1 : format.bits)) - 1;
    min_value_ = static_cast<double>(min_code_) / integer_scale_;
    return;
  }
  min_value_ = std::numeric_limits<double>::infinity();
  if (format.bits <= 16) {
    value_of_code_ = numeric::decode_table(format);
    for (const float v : value_of_code_) {
      if (std::isfinite(v)) min_value_ = std::min<double>(min_value_, v);
    }
  } else {
    min_value_ = -max_value_;
  }
  if (format.bits <= kMaxTableBits) build_table();
}

void ElementRounder::build_table() {
  const bool is_codebook = format_.kind == ElementKind::kCodebook;
  const auto code_of = [&](float x) {
    return is_codebook ? numeric::encode_codebook(value_of_code_, x) : numeric::encode(format_, x);
  };
  std::vector<std::pair<float, uint16_t>> ascending;
  for (uint32_t code = 0; code < value_of_code_.size(); ++code) {
    const float value = value_of_code_[code];
    // Keep the code that encode() chooses among equal values (+0 and -0).
    if (std::isfinite(value) && code_of(value == 0 ? 0.0f : value) == code) {
      ascending.emplace_back(value, static_cast<uint16_t>(code));
    }
  }
  std::ranges::sort(ascending);
  for (size_t i = 0; i < ascending.size(); ++i) {
    values_.push_back(ascending[i].first);
    if (ascending[i].first == 0 && !is_codebook) {
      zero_interval_ = i;
      negative_zero_code_ = static_cast<uint16_t>(code_of(-0.0f));
    }
    codes_.push_back(ascending[i].second);
    if (i == 0) continue;
    const float below = ascending[i - 1].first, above = ascending[i].first;
    const auto goes_up = [&](float x) { return value_of_code_[code_of(x)] >= above; };
    thresholds_.push_back(least_float_going_up(below, above, goes_up));
  }
  thresholds_.resize((size_t{1} << format_.bits) - 1, std::numeric_limits<float>::infinity());
}

size_t ElementRounder::interval(float x) const {
  size_t index = 0;
  for (size_t step = (thresholds_.size() + 1) / 2; step > 0; step /= 2) {
    index += x >= thresholds_[index + step - 1] ? step : 0;
  }
  return std::min(index, values_.size() - 1);
}

uint32_t ElementRounder::encode(float x) const {
  if (is_integer_) {
    const float limited = std::clamp(x * integer_scale_, static_cast<float>(min_code_),
                                     static_cast<float>(max_code_));
    const auto code = static_cast<int32_t>(std::lrintf(limited));
    return static_cast<uint32_t>(code) & static_cast<uint32_t>(format_.num_codes() - 1);
  }
  if (!thresholds_.empty()) {
    const size_t index = interval(x);
    return index == zero_interval_ && x < 0 ? negative_zero_code_ : codes_[index];
  }
  return numeric::encode(format_, x);
}

float ElementRounder::value(uint32_t code) const {
  if (is_integer_) return static_cast<float>(numeric::decode(format_, code));
  return value_of_code_.empty() ? static_cast<float>(numeric::decode(format_, code))
                                : value_of_code_[code];
}

float ElementRounder::round(float x) const {
  if (is_integer_) {
    const float limited = std::clamp(x * integer_scale_, static_cast<float>(min_code_),
                                     static_cast<float>(max_code_));
    return std::nearbyintf(limited) / integer_scale_;
  }
  if (!thresholds_.empty()) return values_[interval(x)];
  return value(encode(x));
}

}  // namespace anybit::quant
