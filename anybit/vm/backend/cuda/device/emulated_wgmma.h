// wgmma of the device header, emulated body: the 128 threads meet, and the product is made at once
// from the shared memory that the descriptors point to, in the order of vm/mma_order.h.
#pragma once

#include "anybit/vm/backend/cuda/device/emulated_hopper.h"
#include "anybit/vm/backend/cuda/device/emulated_matrix.h"

namespace ab {

AB_FN void wgmma_fence() { host->collective(32, "wgmma_fence", run_nothing, nullptr); }
AB_FN void wgmma_commit() { host->collective(32, "wgmma_commit", run_nothing, nullptr); }
template <int kGroups>
AB_FN void wgmma_wait() {
  host->collective(32, "wgmma_wait", run_nothing, nullptr);
}

/// The shared address of element (row, k) of an operand whose rows run along M or N; `bytes` an
/// element. Source: PTX ISA, "Strides" and "Matrix Descriptor Format" of wgmma.
AB_FN u32 descriptor_address(u64 descriptor, bool mn_major, u32 row, u32 k, u32 bytes) {
  const u32 start = static_cast<u32>(descriptor & 0x3fff) << 4;
  const u32 leading = static_cast<u32>(descriptor >> 16 & 0x3fff) << 4;
  const u32 stride = static_cast<u32>(descriptor >> 32 & 0x3fff) << 4;
  const u32 mode = static_cast<u32>(descriptor >> 62);
  const u32 width = mode == kSwizzle128  ? 128
                    : mode == kSwizzle64 ? 64
                    : mode == kSwizzle32 ? 32
                                         : 16;
  u32 offset;
  if (!mn_major) {
    const u32 k_bytes = k * bytes;
    const u32 along_k = width == 16 ? k_bytes / 16 * leading + k_bytes % 16 : k_bytes;
    offset = row % 8 * width + row / 8 * stride + along_k;
  } else {
    const u32 atom = width / bytes;
    const u32 atom_distance = width == 16 ? stride : leading;
    const u32 k_distance = width == 16 ? leading : stride;
    offset = row % atom * bytes + row / atom * atom_distance + k % 8 * width + k / 8 * k_distance;
  }
  return swizzled(start + offset, mode);
}

template <int kType>
AB_FN float descriptor_element(u64 descriptor, bool mn_major, u32 row, u32 k) {
  constexpr u32 kBytes = kType >= kMmaE4m3 ? 1 : 2;
  u32 word = 0;
  const u32 address = descriptor_address(descriptor, mn_major, row, k, kBytes);
  std::memcpy(&word, shared_at(address, kBytes, kBytes, "wgmma"), kBytes);
  return mma_float<kType>(word, 0);
}

struct WgmmaOperand {
  u32* d;
  const u32* a_registers;  // Null: from the descriptor.
  u64 a, b;
  bool accumulate;
};

template <int kN, int kType, int kAMajor, int kBMajor>
AB_FN void run_wgmma(void** threads, u32) {
  constexpr u32 kWordK = kType >= kMmaE4m3 ? 4 : 2, kK = 8 * kWordK;
  const WgmmaOperand& first = *static_cast<WgmmaOperand*>(threads[0]);
  float a[64][kK], b[kN][kK];
  for (u32 t = 0; t < 128; ++t) {
    const WgmmaOperand& own = *static_cast<WgmmaOperand*>(threads[t]);
    if (own.a != first.a || own.b != first.b || own.accumulate != first.accumulate) {
      host->fail("wgmma: the threads of the warpgroup give different descriptors");
    }
    for (u32 r = 0; own.a_registers != nullptr && r < 4; ++r) {
      for (u32 i = 0; i < kWordK; ++i) {
        a[t / 32 * 16 + t % 32 / 4 + r % 2 * 8][(r / 2 * 4 + t % 4) * kWordK + i] =
            mma_float<kType>(own.a_registers[r], i);
      }
    }
  }
  for (u32 k = 0; k < kK; ++k) {
    for (u32 row = 0; first.a_registers == nullptr && row < 64; ++row) {
      a[row][k] = descriptor_element<kType>(first.a, kAMajor, row, k);
    }
    for (u32 n = 0; n < kN; ++n) b[n][k] = descriptor_element<kType>(first.b, kBMajor, n, k);
  }
  for (u32 t = 0; t < 128; ++t) {
    u32* d = static_cast<WgmmaOperand*>(threads[t])->d;
    for (u32 i = 0; i < kN / 2; ++i) {
      const u32 row = t / 32 * 16 + t % 32 / 4 + i / 2 % 2 * 8;
      const u32 column = i / 4 * 8 + 2 * (t % 4) + i % 2;
      const float before = first.accumulate ? bits_float(d[i]) : 0.0f;
      d[i] = float_bits(anybit::vm::exact::mma_dot(before, a[row], 1, b[column], 1, kK));
    }
  }
}

template <int kN, int kType, int kAMajor, int kBMajor>
AB_FN void wgmma(const char* name, WgmmaOperand operand) {
  static_assert(kN % 8 == 0 && kN >= 8 && kN <= 256, "");
  host->collective(128, name, run_wgmma<kN, kType, kAMajor, kBMajor>, &operand);
}

template <int kN, int kAMajor, int kBMajor>
AB_FN void wgmma_f16(u32* d, u64 a, u64 b, bool accumulate) {
  wgmma<kN, kMmaF16, kAMajor, kBMajor>("wgmma_f16", {d, nullptr, a, b, accumulate});
}
template <int kN, int kBMajor>
AB_FN void wgmma_f16_rs(u32* d, const u32* a, u64 b, bool accumulate) {
  wgmma<kN, kMmaF16, 0, kBMajor>("wgmma_f16_rs", {d, a, 0, b, accumulate});
}
template <int kN, int kAMajor, int kBMajor>
AB_FN void wgmma_bf16(u32* d, u64 a, u64 b, bool accumulate) {
  wgmma<kN, kMmaBf16, kAMajor, kBMajor>("wgmma_bf16", {d, nullptr, a, b, accumulate});
}
template <int kN, int kBMajor>
AB_FN void wgmma_bf16_rs(u32* d, const u32* a, u64 b, bool accumulate) {
  wgmma<kN, kMmaBf16, 0, kBMajor>("wgmma_bf16_rs", {d, a, 0, b, accumulate});
}
template <int kN>
AB_FN void wgmma_e4m3(u32* d, u64 a, u64 b, bool accumulate) {
  wgmma<kN, kMmaE4m3, 0, 0>("wgmma_e4m3", {d, nullptr, a, b, accumulate});
}
template <int kN>
AB_FN void wgmma_e4m3_rs(u32* d, const u32* a, u64 b, bool accumulate) {
  wgmma<kN, kMmaE4m3, 0, 0>("wgmma_e4m3_rs", {d, a, 0, b, accumulate});
}
template <int kN>
AB_FN void wgmma_e5m2(u32* d, u64 a, u64 b, bool accumulate) {
  wgmma<kN, kMmaE5m2, 0, 0>("wgmma_e5m2", {d, nullptr, a, b, accumulate});
}
template <int kN>
AB_FN void wgmma_e5m2_rs(u32* d, const u32* a, u64 b, bool accumulate) {
  wgmma<kN, kMmaE5m2, 0, 0>("wgmma_e5m2_rs", {d, a, 0, b, accumulate});
}

}  // namespace ab
