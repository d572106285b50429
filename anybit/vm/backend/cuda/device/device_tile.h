// What emitted text needs beside the instructions of the machine: addresses of swizzled shared
// tiles, elements of less than a byte, matrix steps on words. The same in both bodies.
#pragma once

#include "anybit/vm/backend/cuda/device/device_integer.h"
#if defined(__CUDACC__)
#include "anybit/vm/backend/cuda/device/device_types.h"
#else
#include "anybit/vm/backend/cuda/device/emulated_matrix.h"
#include "anybit/vm/backend/cuda/device/emulated_memory.h"
#endif

namespace ab {

/// Element index o of a shared tile after its swizzle (pass/shared_plan.h).
template <int kBase, int kBits, int kShift>
AB_FN u32 swizzle(u32 o) {
  return o ^ ((o >> (kBase + kShift) & ((1u << kBits) - 1)) << kBase);
}

/// kBits bits (at most 32) at bit `offset` of global memory from `p`; reads only the bytes they
/// touch.
template <int kBits>
AB_FN u32 load_bits(const void* p, i64 offset) {
  const char* const first = static_cast<const char*>(p) + (offset >> 3);
  const u32 skipped = static_cast<u32>(offset & 7);
  u64 bits = 0;
  for (u32 byte = 0; byte * 8 < skipped + kBits; ++byte) {
    u32 word[1];
    load_global<1>(word, first + byte);
    bits |= static_cast<u64>(word[0]) << (8 * byte);
  }
  const u32 mask = kBits == 32 ? 0xffffffffu : (1u << (kBits & 31)) - 1;
  return static_cast<u32>(bits >> skipped) & mask;
}

/// 32-bit item `index` of the Philox stream `seed` (vm instruction random).
AB_FN u32 philox_word(u64 seed, u64 index) {
  u32 words[4];
  philox4x32_10(words, seed, 0, index / 4);
  const u32 place = static_cast<u32>(index & 3);
  return place == 0 ? words[0] : place == 1 ? words[1] : place == 2 ? words[2] : words[3];
}

#define AB_MMA_WORDS(NAME)                                                                   \
  AB_FN void NAME(u32* d, const u32* a, const u32* b) {                                      \
    float sum[4] = {bits_float(d[0]), bits_float(d[1]), bits_float(d[2]), bits_float(d[3])}; \
    NAME(sum, a, b, sum);                                                                    \
    for (int i = 0; i < 4; ++i) d[i] = float_bits(sum[i]);                                   \
  }
#define AB_MMA_INTEGER_WORDS(NAME)                                                        \
  AB_FN void NAME(u32* d, const u32* a, const u32* b) {                                   \
    i32 sum[4] = {static_cast<i32>(d[0]), static_cast<i32>(d[1]), static_cast<i32>(d[2]), \
                  static_cast<i32>(d[3])};                                                \
    NAME(sum, a, b, sum);                                                                 \
    for (int i = 0; i < 4; ++i) d[i] = static_cast<u32>(sum[i]);                          \
  }

/// d += a * b on a fragment kept as words.
AB_MMA_WORDS(mma_m16n8k16_f16)
AB_MMA_WORDS(mma_m16n8k16_bf16)
AB_MMA_WORDS(mma_m16n8k8_tf32)
AB_FN void mma_m16n8k16_f16_f16(u32* d, const u32* a, const u32* b) {
  mma_m16n8k16_f16_f16(d, a, b, d);
}
AB_MMA_INTEGER_WORDS(mma_m16n8k32_s8)
AB_MMA_INTEGER_WORDS(mma_m16n8k32_u8)
#if !defined(__CUDACC__) || __CUDA_ARCH__ >= 890
AB_MMA_WORDS(mma_m16n8k32_e4m3)
AB_MMA_WORDS(mma_m16n8k32_e5m2)
#endif
#undef AB_MMA_WORDS
#undef AB_MMA_INTEGER_WORDS

}  // namespace ab
