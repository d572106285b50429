// Matrix fragments and mma of the device header, emulated body. Sums in the order of
// vm/mma_order.h.
#pragma once

#include "anybit/vm/backend/cuda/device/device_fp8.h"
#include "anybit/vm/backend/cuda/device/emulated_thread.h"
#include "anybit/vm/mma_order.h"

namespace ab {

struct MatrixOperand {
  u32* r;
  u32 row;
};

/// Element (row, column) of matrix m, whose rows' addresses lanes 8m..8m+7 gave.
AB_FN u8* matrix_element(void** lanes, u32 m, u32 row, u32 column, const char* what) {
  const u32 address = static_cast<MatrixOperand*>(lanes[8 * m + row])->row;
  return shared_at(address, 16, 16, what) + 2 * column;
}

template <int kMatrices, bool kTranspose, bool kStore>
AB_FN void run_matrix(void** lanes, u32 count) {
  const char* what = kStore ? "stmatrix" : "ldmatrix";
  for (u32 m = 0; m < kMatrices; ++m) {
    for (u32 i = 0; i < count; ++i) {
      u8* word = reinterpret_cast<u8*>(&static_cast<MatrixOperand*>(lanes[i])->r[m]);
      for (u32 half = 0; half < 2; ++half) {
        const u32 outer = i / 4, inner = 2 * (i % 4) + half;
        u8* element = kTranspose ? matrix_element(lanes, m, inner, outer, what)
                                 : matrix_element(lanes, m, outer, inner, what);
        if (kStore) {
          std::memcpy(element, word + 2 * half, 2);
        } else {
          std::memcpy(word + 2 * half, element, 2);
        }
      }
    }
  }
}

#define AB_MATRIX(NAME, COUNT, TRANSPOSE)                                              \
  AB_FN void ldmatrix_##NAME(u32* r, u32 row, u32 line = __builtin_LINE()) {           \
    MatrixOperand operand = {r, row};                                                  \
    meet_warp(line, "ldmatrix_" #NAME, run_matrix<COUNT, TRANSPOSE, false>, &operand); \
  }                                                                                    \
  AB_FN void stmatrix_##NAME(u32 row, const u32* r, u32 line = __builtin_LINE()) {     \
    u32 words[COUNT];                                                                  \
    std::memcpy(words, r, sizeof words);                                               \
    MatrixOperand operand = {words, row};                                              \
    meet_warp(line, "stmatrix_" #NAME, run_matrix<COUNT, TRANSPOSE, true>, &operand);  \
  }
AB_MATRIX(x1, 1, false)
AB_MATRIX(x2, 2, false)
AB_MATRIX(x4, 4, false)
AB_MATRIX(x1_trans, 1, true)
AB_MATRIX(x2_trans, 2, true)
AB_MATRIX(x4_trans, 4, true)
#undef AB_MATRIX

/// The value of element `index` of a word, for each operand type of mma.
enum MmaType : int { kMmaF16, kMmaBf16, kMmaTf32, kMmaE4m3, kMmaE5m2, kMmaS8, kMmaU8 };

template <int kType>
AB_FN float mma_float(u32 word, u32 index) {
  if (kType == kMmaTf32) return bits_float(word & 0xffffe000);
  if (kType == kMmaBf16) return bits_float(index ? word & 0xffff0000 : word << 16);
  if (kType == kMmaF16) return anybit::vm::exact::f16_to_f32(word >> (16 * index) & 0xffff);
  const u32 code = word >> (8 * index) & 255;
  return f16_lo_to_f32(kType == kMmaE4m3 ? e4m3x2_to_f16x2_by_bits(code)
                                         : e5m2x2_to_f16x2_by_bits(code));
}
template <int kType>
AB_FN i32 mma_int(u32 word, u32 index) {
  const u32 code = word >> (8 * index) & 255;
  return kType == kMmaS8 ? static_cast<signed char>(code) : static_cast<i32>(code);
}

struct MmaOperand {
  void* d;
  const u32 *a, *b;
  const void* c;
};

/// kWordK: elements of a word. A's row is 2 groups of 4 words; lane l has words l mod 4 of rows
/// l / 4 and l / 4 + 8, and of column l / 4 of B.
template <class Value, int kWordK, int kTypeA, int kTypeB, bool kHalf>
AB_FN void run_mma(void** lanes, u32) {
  constexpr int kK = 8 * kWordK;
  Value a[16][kK], b[8][kK];
  for (u32 l = 0; l < 32; ++l) {
    const MmaOperand& own = *static_cast<MmaOperand*>(lanes[l]);
    for (u32 r = 0; r < 4; ++r) {
      for (u32 i = 0; i < kWordK; ++i) {
        const u32 k = (r / 2 * 4 + l % 4) * kWordK + i;
        const u32 k_b = (r % 2 * 4 + l % 4) * kWordK + i;
        if constexpr (kTypeA >= kMmaS8) {
          a[l / 4 + r % 2 * 8][k] = mma_int<kTypeA>(own.a[r], i);
          if (r < 2) b[l / 4][k_b] = mma_int<kTypeB>(own.b[r], i);
        } else {
          a[l / 4 + r % 2 * 8][k] = mma_float<kTypeA>(own.a[r], i);
          if (r < 2) b[l / 4][k_b] = mma_float<kTypeB>(own.b[r], i);
        }
      }
    }
  }
  for (u32 l = 0; l < 32; ++l) {
    const MmaOperand& own = *static_cast<MmaOperand*>(lanes[l]);
    for (u32 j = 0; j < 4; ++j) {
      const Value* row = a[l / 4 + j / 2 * 8];
      const Value* column = b[2 * (l % 4) + j % 2];
      if constexpr (kHalf) {
        u16 half;
        std::memcpy(&half, static_cast<const u8*>(own.c) + 2 * j, 2);
        half = static_cast<u16>(anybit::vm::exact::mma_dot_f16(half, row, 1, column, 1, kK));
        std::memcpy(static_cast<u8*>(own.d) + 2 * j, &half, 2);
      } else {
        const Value c = static_cast<const Value*>(own.c)[j];
        static_cast<Value*>(own.d)[j] = anybit::vm::exact::mma_dot(c, row, 1, column, 1, kK);
      }
    }
  }
}

#define AB_MMA(NAME, VALUE, WORD_K, TYPE_A, TYPE_B, WORDS, HALF)                    \
  AB_FN void NAME(WORDS* d, const u32* a, const u32* b, const WORDS* c,             \
                  u32 line = __builtin_LINE()) {                                    \
    MmaOperand operand = {d, a, b, c};                                              \
    meet_warp(line, #NAME, run_mma<VALUE, WORD_K, TYPE_A, TYPE_B, HALF>, &operand); \
  }
AB_MMA(mma_m16n8k16_f16, float, 2, kMmaF16, kMmaF16, float, false)
AB_MMA(mma_m16n8k16_bf16, float, 2, kMmaBf16, kMmaBf16, float, false)
AB_MMA(mma_m16n8k8_tf32, float, 1, kMmaTf32, kMmaTf32, float, false)
AB_MMA(mma_m16n8k32_s8, i32, 4, kMmaS8, kMmaS8, i32, false)
AB_MMA(mma_m16n8k32_u8, i32, 4, kMmaU8, kMmaU8, i32, false)
AB_MMA(mma_m16n8k32_s8_u8, i32, 4, kMmaS8, kMmaU8, i32, false)
AB_MMA(mma_m16n8k32_u8_s8, i32, 4, kMmaU8, kMmaS8, i32, false)
AB_MMA(mma_m16n8k32_e4m3, float, 4, kMmaE4m3, kMmaE4m3, float, false)
AB_MMA(mma_m16n8k32_e5m2, float, 4, kMmaE5m2, kMmaE5m2, float, false)
AB_MMA(mma_m16n8k16_f16_f16, float, 2, kMmaF16, kMmaF16, u32, true)
#undef AB_MMA

}  // namespace ab
