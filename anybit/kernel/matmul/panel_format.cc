#include "anybit/kernel/matmul/internal/panel_format.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

namespace anybit::kernel::internal {
namespace {

int16_t table_int16(const PanelFormat& format, uint32_t index) {
  return static_cast<int16_t>(format.table_low[index] | format.table_high[index] << 8);
}

// The instructions of the vector kernels, one lane of them: a 15-bit mantissa times a power of two,
// shifted right by 15 and rounded to nearest, halves upward.
int16_t split_float(const PanelFormat& format, uint32_t code) {
  const int y = format.mantissa_bits;
  const uint32_t exponent_field = code & ((1u << format.exponent_bits) - 1) << y;
  const uint32_t implicit_one = std::min(exponent_field, 1u << y);
  const auto magnitude =
      static_cast<int32_t>(((code & ((1u << y) - 1)) | implicit_one) << (14 - y));
  const bool is_negative = (code >> (format.bits - 1) & 1) != 0;
  const auto above_base = static_cast<int>(exponent_field >> y) - format.exponent_base;
  const int32_t power = table_int16(format, static_cast<uint32_t>(std::max(above_base, 0)));
  const int32_t product = (is_negative ? -magnitude : magnitude) * power;
  return static_cast<int16_t>((product + (1 << 14)) >> 15);
}

float half_to_float(uint32_t code) {
  const uint32_t exponent = code >> 10 & 31, mantissa = code & 1023;
  const float sign = (code & 0x8000) != 0 ? -1.0f : 1.0f;
  if (exponent == 0) return sign * std::ldexp(static_cast<float>(mantissa), -24);
  if (exponent < 31) {
    return sign * std::ldexp(static_cast<float>(mantissa + 1024), static_cast<int>(exponent) - 25);
  }
  return std::bit_cast<float>((code & 0x8000) << 16 | 0x7F800000u | mantissa << 13);
}

}  // namespace

int decode_uint8(const PanelFormat& format, uint32_t code) {
  if (format.decoding == CodeDecoding::kTable) return format.table_low[code];
  return static_cast<int>(format.is_doubled ? 2 * code : code);
}

int decode_int16(const PanelFormat& format, uint32_t code) {
  switch (format.decoding) {
    case CodeDecoding::kTable: return table_int16(format, code);
    case CodeDecoding::kSignedTable: {
      const uint32_t sign = 1u << (format.bits - 1);
      const int magnitude = table_int16(format, code & (sign - 1));
      return (code & sign) != 0 ? -magnitude : magnitude;
    }
    case CodeDecoding::kSplitFloat: return split_float(format, code);
    default: return static_cast<int16_t>(code - static_cast<uint32_t>(format.center));
  }
}

float decode_float(const PanelFormat& format, uint32_t code) {
  switch (format.decoding) {
    case CodeDecoding::kTable: return format.values[code];
    case CodeDecoding::kBrain: return std::bit_cast<float>(code << 16);
    case CodeDecoding::kHalf: {
      const int magnitude_bits = format.exponent_bits + format.mantissa_bits;
      const uint32_t magnitude = code & ((1u << magnitude_bits) - 1);
      const uint32_t sign = code >> magnitude_bits;
      return half_to_float(sign << 15 | magnitude << (10 - format.mantissa_bits)) *
             format.bits_factor;
    }
    default: return static_cast<float>(static_cast<int32_t>(code) - format.center);
  }
}

void store_planes(const uint16_t* codes, int bits, std::byte* out) {
  std::memset(out, 0, static_cast<size_t>(kLineBytes * bits));
  auto* line = reinterpret_cast<uint8_t*>(out);
  int first_bit = 0;
  for (int left = bits; left > 0;) {
    const int plane = left >= 8 ? 8 : static_cast<int>(std::bit_floor(static_cast<unsigned>(left)));
    const int steps_a_line = 8 / plane;
    const auto mask = static_cast<uint16_t>((1u << plane) - 1);
    for (int step = 0; step < kBlockSteps; ++step) {
      const int shift = step % steps_a_line * plane;
      for (int place = 0; place < kLineBytes; ++place) {
        const int field = codes[step * kLineBytes + place] >> first_bit & mask;
        line[place] = static_cast<uint8_t>(line[place] | field << shift);
      }
      if ((step + 1) % steps_a_line == 0) line += kLineBytes;
    }
    first_bit += plane;
    left -= plane;
  }
}

void load_planes(const std::byte* block, int bits, uint16_t* codes) {
  std::memset(codes, 0, sizeof(uint16_t) * kBlockSteps * kLineBytes);
  const auto* line = reinterpret_cast<const uint8_t*>(block);
  int first_bit = 0;
  for (int left = bits; left > 0;) {
    const int plane = left >= 8 ? 8 : static_cast<int>(std::bit_floor(static_cast<unsigned>(left)));
    const int steps_a_line = 8 / plane;
    const int mask = (1 << plane) - 1;
    for (int step = 0; step < kBlockSteps; ++step) {
      const int shift = step % steps_a_line * plane;
      for (int place = 0; place < kLineBytes; ++place) {
        const int field = line[place] >> shift & mask;
        uint16_t& code = codes[step * kLineBytes + place];
        code = static_cast<uint16_t>(code | field << first_bit);
      }
      if ((step + 1) % steps_a_line == 0) line += kLineBytes;
    }
    first_bit += plane;
    left -= plane;
  }
}

}  // namespace anybit::kernel::internal
