// Bits, 16-bit and 8-bit floats of the device header, emulated body.
#pragma once

#include "anybit/vm/backend/cuda/device/device_float.h"
#include "anybit/vm/backend/cuda/device/device_types.h"
#include "anybit/vm/exact_half.h"

namespace ab {

template <int kLut>
AB_FN u32 lop3(u32 a, u32 b, u32 c) {
  u32 d = 0;
  for (u32 i = 0; i < 8; ++i) {
    if (kLut >> i & 1) d |= (i & 4 ? a : ~a) & (i & 2 ? b : ~b) & (i & 1 ? c : ~c);
  }
  return d;
}

AB_FN u32 prmt(u32 a, u32 b, u32 selector) {
  const u64 bytes = u64{b} << 32 | a;
  u32 d = 0;
  for (u32 i = 0; i < 4; ++i) {
    const u32 s = selector >> (4 * i);
    u32 byte = static_cast<u32>(bytes >> (8 * (s & 7))) & 255;
    if (s & 8) byte = byte & 128 ? 255 : 0;
    d |= byte << (8 * i);
  }
  return d;
}

AB_FN u32 funnel_right(u32 lo, u32 hi, u32 shift) {
  return static_cast<u32>((u64{hi} << 32 | lo) >> (shift & 31));
}
AB_FN u32 funnel_left(u32 lo, u32 hi, u32 shift) {
  return static_cast<u32>((u64{hi} << 32 | lo) << (shift & 31) >> 32);
}

AB_FN u32 shift_left(u32 w, u32 shift) { return shift > 31 ? 0 : w << shift; }
AB_FN u32 shift_right(u32 w, u32 shift) { return shift > 31 ? 0 : w >> shift; }
AB_FN i32 shift_right_signed(i32 w, u32 shift) { return w >> (shift > 31 ? 31 : shift); }
AB_FN u64 shift_left_64(u64 w, u32 shift) { return shift > 63 ? 0 : w << shift; }
AB_FN u64 shift_right_64(u64 w, u32 shift) { return shift > 63 ? 0 : w >> shift; }
AB_FN i64 shift_right_signed_64(i64 w, u32 shift) { return w >> (shift > 63 ? 63 : shift); }

AB_FN u32 bit_extract(u32 w, u32 pos, u32 len) {
  pos &= 255;
  len &= 255;
  return shift_right(w, pos) & (len > 31 ? ~0u : (1u << len) - 1);
}
AB_FN i32 bit_extract_signed(u32 w, u32 pos, u32 len) {
  pos &= 255;
  len &= 255;
  if (len == 0) return 0;
  const u32 top = pos + len - 1 < 31 ? pos + len - 1 : 31;
  const u32 field = bit_extract(w, pos, len);
  if (!(w >> top & 1)) return static_cast<i32>(field);
  const u32 held = pos > 31 ? 0 : top - pos + 1;
  return static_cast<i32>(field | (held > 31 ? 0 : ~0u << held));
}
AB_FN u32 bit_insert(u32 w, u32 value, u32 pos, u32 len) {
  const u32 mask = shift_left((len & 255) > 31 ? ~0u : (1u << (len & 255)) - 1, pos & 255);
  return (w & ~mask) | (shift_left(value, pos & 255) & mask);
}

AB_FN int popc(u32 w) { return __builtin_popcount(w); }
AB_FN int clz(u32 w) { return w == 0 ? 32 : __builtin_clz(w); }
AB_FN u32 brev(u32 w) {
  u32 d = 0;
  for (u32 i = 0; i < 32; ++i) d |= (w >> i & 1) << (31 - i);
  return d;
}

AB_FN i32 mul_hi(i32 a, i32 b) { return static_cast<i32>((i64{a} * b) >> 32); }
AB_FN u32 mul_hi_u(u32 a, u32 b) { return static_cast<u32>((u64{a} * b) >> 32); }

AB_FN i32 dot4_s8(u32 a, u32 b, i32 c) {
  u32 sum = static_cast<u32>(c);
  for (u32 i = 0; i < 32; i += 8) {
    const i32 x = static_cast<signed char>(a >> i & 255), y = static_cast<signed char>(b >> i & 255);
    sum += static_cast<u32>(x * y);
  }
  return static_cast<i32>(sum);
}
AB_FN u32 dot4_u8(u32 a, u32 b, u32 c) {
  for (u32 i = 0; i < 32; i += 8) c += (a >> i & 255) * (b >> i & 255);
  return c;
}

#define AB_PAIR_2(NAME, ONE)                                                              \
  AB_FN u32 NAME(u32 a, u32 b) {                                                          \
    return anybit::vm::exact::ONE(a & 0xffff, b & 0xffff) |                               \
           anybit::vm::exact::ONE(a >> 16, b >> 16) << 16;                                \
  }
#define AB_PAIR_3(NAME, ONE)                                                              \
  AB_FN u32 NAME(u32 a, u32 b, u32 c) {                                                   \
    return anybit::vm::exact::ONE(a & 0xffff, b & 0xffff, c & 0xffff) |                   \
           anybit::vm::exact::ONE(a >> 16, b >> 16, c >> 16) << 16;                       \
  }
AB_PAIR_2(f16x2_add, f16_add)
AB_PAIR_2(f16x2_sub, f16_sub)
AB_PAIR_2(f16x2_mul, f16_mul)
AB_PAIR_3(f16x2_fma, f16_fma)
AB_PAIR_2(f16x2_min, f16_min)
AB_PAIR_2(f16x2_max, f16_max)
AB_PAIR_2(f16x2_min_nan, f16_min_nan)
AB_PAIR_2(f16x2_max_nan, f16_max_nan)
AB_PAIR_2(bf16x2_add, bf16_add)
AB_PAIR_2(bf16x2_sub, bf16_sub)
AB_PAIR_2(bf16x2_mul, bf16_mul)
AB_PAIR_3(bf16x2_fma, bf16_fma)
AB_PAIR_2(bf16x2_min, bf16_min)
AB_PAIR_2(bf16x2_max, bf16_max)
AB_PAIR_2(bf16x2_min_nan, bf16_min_nan)
AB_PAIR_2(bf16x2_max_nan, bf16_max_nan)
#undef AB_PAIR_2
#undef AB_PAIR_3

AB_FN u32 f16x2_neg(u32 a) { return a ^ 0x80008000; }
AB_FN u32 f16x2_abs(u32 a) { return a & 0x7fff7fff; }
AB_FN u32 bf16x2_neg(u32 a) { return a ^ 0x80008000; }
AB_FN u32 bf16x2_abs(u32 a) { return a & 0x7fff7fff; }

AB_FN float f16_lo_to_f32(u32 w) { return anybit::vm::exact::f16_to_f32(w & 0xffff); }
AB_FN float f16_hi_to_f32(u32 w) { return anybit::vm::exact::f16_to_f32(w >> 16); }
AB_FN float bf16_lo_to_f32(u32 w) { return bits_float(w << 16); }
AB_FN float bf16_hi_to_f32(u32 w) { return bits_float(w & 0xffff0000); }

#define AB_COMPARE(NAME, OPERATOR)                                          \
  AB_FN u32 f16x2_##NAME(u32 a, u32 b) {                                    \
    return (f16_lo_to_f32(a) OPERATOR f16_lo_to_f32(b) ? 0xffffu : 0u) |    \
           (f16_hi_to_f32(a) OPERATOR f16_hi_to_f32(b) ? 0xffff0000u : 0u); \
  }                                                                         \
  AB_FN u32 bf16x2_##NAME(u32 a, u32 b) {                                   \
    return (bf16_lo_to_f32(a) OPERATOR bf16_lo_to_f32(b) ? 0xffffu : 0u) |  \
           (bf16_hi_to_f32(a) OPERATOR bf16_hi_to_f32(b) ? 0xffff0000u : 0u); \
  }
AB_COMPARE(eq, ==)
AB_COMPARE(ne, !=)
AB_COMPARE(lt, <)
AB_COMPARE(le, <=)
AB_COMPARE(gt, >)
AB_COMPARE(ge, >=)
#undef AB_COMPARE

AB_FN u32 f32_to_f16(float x) { return anybit::vm::exact::f32_to_f16(x); }
AB_FN u32 f32_to_bf16(float x) { return anybit::vm::exact::f32_to_bf16(x); }
AB_FN u32 f32_to_f16x2(float lo, float hi) { return f32_to_f16(lo) | f32_to_f16(hi) << 16; }
AB_FN u32 f32_to_bf16x2(float lo, float hi) { return f32_to_bf16(lo) | f32_to_bf16(hi) << 16; }

}  // namespace ab
