// Rounding many values to one element format, nearest even: the same codes as numeric::encode(),
// by comparisons with thresholds that were found through it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "anybit/numeric/element_format.h"

namespace anybit::quant {

class ElementRounder {
 public:
  /// For `format`; `codebook` is read for kCodebook only and must ascend.
  /// Pre: the kind is not kComplex.
  explicit ElementRounder(const numeric::ElementFormat& format,
                          std::span<const float> codebook = {});

  /// Post: numeric::encode(format, x), saturating, nearest even (encode_codebook() for codebooks).
  uint32_t encode(float x) const;

  /// The value of a code that encode() returned.
  float value(uint32_t code) const;

  /// The value that encode(x) stands for.
  float round(float x) const;

  /// Greatest and least finite value.
  double max_value() const { return max_value_; }
  double min_value() const { return min_value_; }

  const numeric::ElementFormat& format() const { return format_; }

 private:
  void build_table();
  size_t interval(float x) const;

  numeric::ElementFormat format_;
  double max_value_ = 0;
  double min_value_ = 0;
  bool is_integer_ = false;  // kInt, kUint: scale, round, clamp.
  float integer_scale_ = 1;  // 2^fraction bits.
  int64_t min_code_ = 0;     // Integers: range of signed codes.
  int64_t max_code_ = 0;
  // Formats of at most 8 bits: x belongs to interval i if thresholds_[i-1] <= x < thresholds_[i].
  std::vector<float> thresholds_;  // Padded with infinities to 2^bits - 1 entries.
  std::vector<float> values_;      // Of each interval.
  std::vector<uint16_t> codes_;    // Of each interval.
  std::vector<float> value_of_code_;
  size_t zero_interval_ = SIZE_MAX;  // The interval of 0 in formats that have -0, and
  uint16_t negative_zero_code_ = 0;  // the code of its negative values.
};

}  // namespace anybit::quant
