// 16-bit and 8-bit floats, PTX body: two f16 or bf16 in a word, element 0 in the low half.
// Arithmetic rounds to nearest even and keeps subnormals; NaN results are 0x7fff.
#pragma once

#if defined(__CUDACC__)

namespace ab {

#define AB_PAIR_1(NAME, TEXT)                         \
  AB_FN u32 NAME(u32 a) {                             \
    u32 d;                                            \
    asm(TEXT " %0, %1;" : "=r"(d) : "r"(a));          \
    return d;                                         \
  }
#define AB_PAIR_2(NAME, TEXT)                         \
  AB_FN u32 NAME(u32 a, u32 b) {                      \
    u32 d;                                            \
    asm(TEXT " %0, %1, %2;" : "=r"(d) : "r"(a), "r"(b)); \
    return d;                                         \
  }
#define AB_PAIR_3(NAME, TEXT)                                            \
  AB_FN u32 NAME(u32 a, u32 b, u32 c) {                                  \
    u32 d;                                                               \
    asm(TEXT " %0, %1, %2, %3;" : "=r"(d) : "r"(a), "r"(b), "r"(c));     \
    return d;                                                            \
  }

/// a + b, a - b, a * b, a * b + c in one rounding: to nearest even, infinity on overflow.
AB_PAIR_2(f16x2_add, "add.rn.f16x2")
AB_PAIR_2(f16x2_sub, "sub.rn.f16x2")
AB_PAIR_2(f16x2_mul, "mul.rn.f16x2")
AB_PAIR_3(f16x2_fma, "fma.rn.f16x2")
AB_PAIR_3(bf16x2_fma, "fma.rn.bf16x2")
AB_FN u32 bf16x2_add(u32 a, u32 b) { return bf16x2_fma(a, 0x3f803f80, b); }
AB_FN u32 bf16x2_sub(u32 a, u32 b) { return bf16x2_fma(b, 0xbf80bf80, a); }
AB_FN u32 bf16x2_mul(u32 a, u32 b) { return bf16x2_fma(a, b, 0x80008000); }

/// The lesser and the greater, -0 < +0. Of a number and NaN, the number; _nan: NaN.
AB_PAIR_2(f16x2_min, "min.f16x2")
AB_PAIR_2(f16x2_max, "max.f16x2")
AB_PAIR_2(f16x2_min_nan, "min.NaN.f16x2")
AB_PAIR_2(f16x2_max_nan, "max.NaN.f16x2")
AB_PAIR_2(bf16x2_min, "min.bf16x2")
AB_PAIR_2(bf16x2_max, "max.bf16x2")
AB_PAIR_2(bf16x2_min_nan, "min.NaN.bf16x2")
AB_PAIR_2(bf16x2_max_nan, "max.NaN.bf16x2")

/// The sign bits flipped, or cleared, of NaN too.
AB_FN u32 f16x2_neg(u32 a) { return a ^ 0x80008000; }
AB_FN u32 f16x2_abs(u32 a) { return a & 0x7fff7fff; }
AB_FN u32 bf16x2_neg(u32 a) { return a ^ 0x80008000; }
AB_FN u32 bf16x2_abs(u32 a) { return a & 0x7fff7fff; }

/// 0xffff in each half whose comparison holds, else 0. With NaN only ne holds.
AB_PAIR_2(f16x2_eq, "set.eq.u32.f16x2")
AB_PAIR_2(f16x2_ne, "set.neu.u32.f16x2")
AB_PAIR_2(f16x2_lt, "set.lt.u32.f16x2")
AB_PAIR_2(f16x2_le, "set.le.u32.f16x2")
AB_PAIR_2(f16x2_gt, "set.gt.u32.f16x2")
AB_PAIR_2(f16x2_ge, "set.ge.u32.f16x2")

/// The element as f32, exactly; bf16 keeps the bits of NaN, f16 makes it 0x7fffffff.
AB_FN float f16_lo_to_f32(u32 w) {
  float x;
  asm("{.reg .f16 l, h; mov.b32 {l, h}, %1; cvt.f32.f16 %0, l;}" : "=f"(x) : "r"(w));
  return x;
}
AB_FN float f16_hi_to_f32(u32 w) {
  float x;
  asm("{.reg .f16 l, h; mov.b32 {l, h}, %1; cvt.f32.f16 %0, h;}" : "=f"(x) : "r"(w));
  return x;
}
AB_FN float bf16_lo_to_f32(u32 w) { return bits_float(w << 16); }
AB_FN float bf16_hi_to_f32(u32 w) { return bits_float(w & 0xffff0000); }

#if __CUDA_ARCH__ >= 900
AB_PAIR_2(bf16x2_eq, "set.eq.u32.bf16x2")
AB_PAIR_2(bf16x2_ne, "set.neu.u32.bf16x2")
AB_PAIR_2(bf16x2_lt, "set.lt.u32.bf16x2")
AB_PAIR_2(bf16x2_le, "set.le.u32.bf16x2")
AB_PAIR_2(bf16x2_gt, "set.gt.u32.bf16x2")
AB_PAIR_2(bf16x2_ge, "set.ge.u32.bf16x2")
#else
#define AB_BF16_COMPARE(NAME, OPERATOR)                                       \
  AB_FN u32 NAME(u32 a, u32 b) {                                              \
    return (bf16_lo_to_f32(a) OPERATOR bf16_lo_to_f32(b) ? 0xffffu : 0u) |    \
           (bf16_hi_to_f32(a) OPERATOR bf16_hi_to_f32(b) ? 0xffff0000u : 0u); \
  }
AB_BF16_COMPARE(bf16x2_eq, ==)
AB_BF16_COMPARE(bf16x2_ne, !=)
AB_BF16_COMPARE(bf16x2_lt, <)
AB_BF16_COMPARE(bf16x2_le, <=)
AB_BF16_COMPARE(bf16x2_gt, >)
AB_BF16_COMPARE(bf16x2_ge, >=)
#undef AB_BF16_COMPARE
#endif

/// lo and hi rounded to nearest even, infinity on overflow.
AB_FN u32 f32_to_f16x2(float lo, float hi) {
  u32 d;
  asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(d) : "f"(hi), "f"(lo));
  return d;
}
AB_FN u32 f32_to_bf16x2(float lo, float hi) {
  u32 d;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(d) : "f"(hi), "f"(lo));
  return d;
}
/// The same of one number; the upper half of the word is 0.
AB_FN u32 f32_to_f16(float x) { return f32_to_f16x2(x, 0.0f); }
AB_FN u32 f32_to_bf16(float x) { return f32_to_bf16x2(x, 0.0f); }

#undef AB_PAIR_1
#undef AB_PAIR_2
#undef AB_PAIR_3

}  // namespace ab

#endif
