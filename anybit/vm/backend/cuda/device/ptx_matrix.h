// Matrix fragments and mma, PTX body. Fragments are those of the PTX ISA; the emulation adds in the
// order of vm/mma_order.h, tensor cores in their own.
#pragma once

#if defined(__CUDACC__)

namespace ab {

#define AB_LDMATRIX(SUFFIX, TRANS)                                                            \
  AB_FN void ldmatrix_x1##SUFFIX(u32* r, u32 row) {                                           \
    asm volatile("ldmatrix.sync.aligned.m8n8.x1" TRANS ".shared.b16 {%0}, [%1];"              \
                 : "=r"(r[0])                                                                 \
                 : "r"(row)                                                                   \
                 : "memory");                                                                 \
  }                                                                                           \
  AB_FN void ldmatrix_x2##SUFFIX(u32* r, u32 row) {                                           \
    asm volatile("ldmatrix.sync.aligned.m8n8.x2" TRANS ".shared.b16 {%0, %1}, [%2];"          \
                 : "=r"(r[0]), "=r"(r[1])                                                     \
                 : "r"(row)                                                                   \
                 : "memory");                                                                 \
  }                                                                                           \
  AB_FN void ldmatrix_x4##SUFFIX(u32* r, u32 row) {                                           \
    asm volatile("ldmatrix.sync.aligned.m8n8.x4" TRANS ".shared.b16 {%0, %1, %2, %3}, [%4];"  \
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])                             \
                 : "r"(row)                                                                   \
                 : "memory");                                                                 \
  }

/// Matrices of 8 rows of 16 bytes from shared memory: lane 8m + i gives the address of row i of
/// matrix m; r[m] of lane l holds elements 2(l mod 4), +1 of row l / 4 (_trans: of column l / 4).
AB_LDMATRIX(, "")
AB_LDMATRIX(_trans, ".trans")
#undef AB_LDMATRIX

#if __CUDA_ARCH__ >= 900
#define AB_STMATRIX(SUFFIX, TRANS)                                                            \
  AB_FN void stmatrix_x1##SUFFIX(u32 row, const u32* r) {                                     \
    asm volatile("stmatrix.sync.aligned.m8n8.x1" TRANS ".shared.b16 [%0], {%1};" ::"r"(row),  \
                 "r"(r[0])                                                                    \
                 : "memory");                                                                 \
  }                                                                                           \
  AB_FN void stmatrix_x2##SUFFIX(u32 row, const u32* r) {                                     \
    asm volatile("stmatrix.sync.aligned.m8n8.x2" TRANS ".shared.b16 [%0], {%1, %2};" ::"r"(   \
                     row),                                                                    \
                 "r"(r[0]), "r"(r[1])                                                         \
                 : "memory");                                                                 \
  }                                                                                           \
  AB_FN void stmatrix_x4##SUFFIX(u32 row, const u32* r) {                                     \
    asm volatile(                                                                             \
        "stmatrix.sync.aligned.m8n8.x4" TRANS ".shared.b16 [%0], {%1, %2, %3, %4};" ::"r"(    \
            row),                                                                             \
        "r"(r[0]), "r"(r[1]), "r"(r[2]), "r"(r[3])                                            \
        : "memory");                                                                          \
  }

/// The reverse of ldmatrix. From sm_90 on.
AB_STMATRIX(, "")
AB_STMATRIX(_trans, ".trans")
#undef AB_STMATRIX
#endif

#define AB_MMA_4_2(NAME, TEXT, TYPE, LETTER)                                                   \
  AB_FN void NAME(TYPE* d, const u32* a, const u32* b, const TYPE* c) {                        \
    asm volatile(                                                                              \
        "mma.sync.aligned." TEXT                                                               \
        " {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%10, %11, %12, %13};"                 \
        : "=" LETTER(d[0]), "=" LETTER(d[1]), "=" LETTER(d[2]), "=" LETTER(d[3])               \
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]), LETTER(c[0]),      \
          LETTER(c[1]), LETTER(c[2]), LETTER(c[3]));                                           \
  }

/// d[16, 8] = a[16, k] * b[k, 8] + c[16, 8]. Float sums in f32; integer sums modulo 2^32.
AB_MMA_4_2(mma_m16n8k16_f16, "m16n8k16.row.col.f32.f16.f16.f32", float, "f")
AB_MMA_4_2(mma_m16n8k16_bf16, "m16n8k16.row.col.f32.bf16.bf16.f32", float, "f")
AB_MMA_4_2(mma_m16n8k8_tf32, "m16n8k8.row.col.f32.tf32.tf32.f32", float, "f")
AB_MMA_4_2(mma_m16n8k32_s8, "m16n8k32.row.col.s32.s8.s8.s32", i32, "r")
AB_MMA_4_2(mma_m16n8k32_u8, "m16n8k32.row.col.s32.u8.u8.s32", i32, "r")
AB_MMA_4_2(mma_m16n8k32_s8_u8, "m16n8k32.row.col.s32.s8.u8.s32", i32, "r")
AB_MMA_4_2(mma_m16n8k32_u8_s8, "m16n8k32.row.col.s32.u8.s8.s32", i32, "r")
#if __CUDA_ARCH__ >= 890
AB_MMA_4_2(mma_m16n8k32_e4m3, "m16n8k32.row.col.f32.e4m3.e4m3.f32", float, "f")
AB_MMA_4_2(mma_m16n8k32_e5m2, "m16n8k32.row.col.f32.e5m2.e5m2.f32", float, "f")
#endif
#undef AB_MMA_4_2

/// The same with c and d in f16: two words, rounded once at the end in the emulation.
AB_FN void mma_m16n8k16_f16_f16(u32* d, const u32* a, const u32* b, const u32* c) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f16.f16.f16.f16 {%0, %1}, {%2, %3, %4, %5}, {%6, %7}, "
      "{%8, %9};"
      : "=r"(d[0]), "=r"(d[1])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]), "r"(c[0]), "r"(c[1]));
}

}  // namespace ab

#endif
