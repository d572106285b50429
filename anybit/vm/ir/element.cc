#include "anybit/vm/ir/element.h"

#include <algorithm>
#include <cmath>

namespace anybit::vm {

using numeric::ElementFormat;
using numeric::ElementKind;

Result<ElementFormat> parse_tile_element(std::string_view text) {
  if (text == "int32") return kInt32;
  if (text == "uint32") return kUint32;
  if (text == "bool") return kBool;
  return numeric::parse_element_format(text);
}

std::string tile_element_name(const ElementFormat& format) {
  if (format == kInt32) return "int32";
  if (format == kUint32) return "uint32";
  if (format == kBarrierElement) return "barrier";
  return numeric::element_name(format);
}

bool is_integer_element(const ElementFormat& format) {
  return (format.kind == ElementKind::kInt || format.kind == ElementKind::kUint) &&
         format.mantissa_bits == 0;
}

bool is_compute_float(const ElementFormat& format) {
  return format == numeric::kF32 || format == numeric::kF16 || format == numeric::kBF16;
}

double decode_element(const ElementFormat& format, uint32_t code) {
  if (format == kInt32) return static_cast<int32_t>(code);
  if (format == kUint32) return code;
  return numeric::decode(format, code);
}

numeric::Rounding cast_rounding(const ElementFormat& to, bool saturate) {
  const bool has_infinity =
      to.kind == ElementKind::kFloat && to.bits > 8 && to.specials == numeric::Specials::kIeee;
  return {numeric::RoundingMode::kNearestEven,
          has_infinity && !saturate ? numeric::Overflow::kSpecial : numeric::Overflow::kSaturate};
}

uint32_t encode_element(const ElementFormat& format, double value, numeric::Rounding rounding) {
  if (format != kInt32 && format != kUint32) return numeric::encode(format, value, rounding);
  if (std::isnan(value)) return 0;
  const double low = format == kInt32 ? -0x1p31 : 0, high = format == kInt32 ? 0x1p31 : 0x1p32;
  double rounded = std::nearbyint(value);
  switch (rounding.mode) {
    case numeric::RoundingMode::kTowardZero: rounded = std::trunc(value); break;
    case numeric::RoundingMode::kUp: rounded = std::ceil(value); break;
    case numeric::RoundingMode::kDown: rounded = std::floor(value); break;
    case numeric::RoundingMode::kNearestAway: rounded = std::round(value); break;
    default: break;
  }
  return static_cast<uint32_t>(static_cast<int64_t>(std::clamp(rounded, low, high - 1)));
}

}  // namespace anybit::vm
