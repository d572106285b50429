// 8-bit floats in bit rules, the same text in both bodies: what the emulation runs, and GPUs before
// sm_89, which have no instruction for them.
#pragma once

#include "anybit/vm/backend/cuda/device/device_float.h"
#include "anybit/vm/backend/cuda/device/device_types.h"
#if !defined(__CUDACC__)
#include "anybit/vm/backend/cuda/device/emulated_scalar.h"
#endif

namespace ab {

/// The two e4m3 codes in the low 16 bits as f16, exactly; NaN codes become 0x7fff.
AB_FN u32 e4m3x2_to_f16x2_by_bits(u32 codes) {
  const u32 w = prmt(codes, 0, 0x1404);
  const u32 shifted = (w & 0x80008000) | ((w & 0x7f007f00) >> 1);
  const u32 value = f16x2_mul(shifted, 0x5c005c00);  // 2^8, the difference of the biases.
  const u32 nan = ((w & 0x7f00) == 0x7f00 ? 0xffffu : 0u) |
                  ((w & 0x7f000000) == 0x7f000000 ? 0xffff0000u : 0u);
  return (value & ~nan) | (nan & 0x7fff7fff);
}

/// The two e5m2 codes in the low 16 bits as f16, exactly; NaN codes become 0x7fff.
AB_FN u32 e5m2x2_to_f16x2_by_bits(u32 codes) {
  const u32 w = prmt(codes, 0, 0x1404);
  const u32 nan = ((w & 0x7f00) > 0x7c00 ? 0xffffu : 0u) |
                  ((w & 0x7f000000) > 0x7c000000 ? 0xffff0000u : 0u);
  return (w & ~nan) | (nan & 0x7fff7fff);
}

/// The code of x in a float format of 8 bits with kMantissa bits and this bias: nearest even, beyond
/// `largest` (infinity too) its code, NaN 0x7f. Values under 2^(1-bias) are rounded by adding
/// `magic`, whose last place is the subnormals' quantum.
template <int kMantissa, int kBias>
AB_FN u32 f32_to_fp8_by_bits(float x, float largest, float magic) {
  const u32 bits = float_bits(x);
  const u32 sign = bits >> 24 & 0x80;
  if ((bits & 0x7fffffff) > 0x7f800000) return 0x7f;
  const float magnitude = min(bits_float(bits & 0x7fffffff), largest);
  const u32 m = float_bits(magnitude);
  if (m < static_cast<u32>(128 - kBias) << 23) {
    return sign | (float_bits(add(magnitude, magic)) & 0xff);
  }
  constexpr int kDropped = 23 - kMantissa;
  const u32 rounded = m + ((1u << (kDropped - 1)) - 1) + (m >> kDropped & 1);
  return sign | ((rounded >> kDropped) - (static_cast<u32>(127 - kBias) << kMantissa));
}

AB_FN u32 f32_to_e4m3x2_by_bits(float lo, float hi) {
  return f32_to_fp8_by_bits<3, 7>(lo, 448.0f, 16384.0f) |
         f32_to_fp8_by_bits<3, 7>(hi, 448.0f, 16384.0f) << 8;
}
AB_FN u32 f32_to_e5m2x2_by_bits(float lo, float hi) {
  return f32_to_fp8_by_bits<2, 15>(lo, 57344.0f, 128.0f) |
         f32_to_fp8_by_bits<2, 15>(hi, 57344.0f, 128.0f) << 8;
}

#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 890
/// The two e4m3 (e5m2) codes in the low 16 bits as f16, exactly; NaN becomes 0x7fff.
AB_FN u32 e4m3x2_to_f16x2(u32 codes) {
  u32 d;
  asm("cvt.rn.f16x2.e4m3x2 %0, %1;" : "=r"(d) : "h"(static_cast<u16>(codes)));
  return d;
}
AB_FN u32 e5m2x2_to_f16x2(u32 codes) {
  u32 d;
  asm("cvt.rn.f16x2.e5m2x2 %0, %1;" : "=r"(d) : "h"(static_cast<u16>(codes)));
  return d;
}
/// The e4m3 (e5m2) codes of lo and hi in the low 16 bits: nearest even, beyond the largest finite
/// number (infinity too) its code, NaN 0x7f.
AB_FN u32 f32_to_e4m3x2(float lo, float hi) {
  u16 d;
  asm("cvt.rn.satfinite.e4m3x2.f32 %0, %1, %2;" : "=h"(d) : "f"(hi), "f"(lo));
  return d;
}
AB_FN u32 f32_to_e5m2x2(float lo, float hi) {
  u16 d;
  asm("cvt.rn.satfinite.e5m2x2.f32 %0, %1, %2;" : "=h"(d) : "f"(hi), "f"(lo));
  return d;
}
#else
AB_FN u32 e4m3x2_to_f16x2(u32 codes) { return e4m3x2_to_f16x2_by_bits(codes); }
AB_FN u32 e5m2x2_to_f16x2(u32 codes) { return e5m2x2_to_f16x2_by_bits(codes); }
AB_FN u32 f32_to_e4m3x2(float lo, float hi) { return f32_to_e4m3x2_by_bits(lo, hi); }
AB_FN u32 f32_to_e5m2x2(float lo, float hi) { return f32_to_e5m2x2_by_bits(lo, hi); }
#endif

}  // namespace ab
