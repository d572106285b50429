// The words of the device header, the same in both bodies: types, policies, kernel macros.
#pragma once

#if defined(__CUDACC__)
#define AB_FN static __device__ __forceinline__
#define AB_KERNEL extern "C" __global__ void
#define AB_LAUNCH_BOUNDS(threads) __launch_bounds__(threads)
#define AB_LAUNCH_BOUNDS_2(threads, blocks) __launch_bounds__(threads, blocks)
#define AB_CLUSTER(x, y, z) __cluster_dims__(x, y, z)
#define AB_GRID_CONSTANT __grid_constant__
#define AB_CONSTANT static __device__ const
#define AB_UNROLL _Pragma("unroll")
#else
#define AB_FN static inline
#define AB_KERNEL extern "C" void
#define AB_LAUNCH_BOUNDS(threads)
#define AB_LAUNCH_BOUNDS_2(threads, blocks)
#define AB_CLUSTER(x, y, z)
#define AB_GRID_CONSTANT
#define __global__
#define __launch_bounds__(...)
#define __cluster_dims__(...)
#define __grid_constant__
#define AB_CONSTANT static const
#define AB_UNROLL
#endif


namespace ab {

using u8 = unsigned char;
using u16 = unsigned short;
using u32 = unsigned int;
using u64 = unsigned long long;
using i32 = int;
using i64 = long long;

/// How global memory goes through the caches.
enum Cache : int {
  kCacheDefault = 0,   // Through L1 and L2.
  kCacheStream = 1,    // Read or written once: loads may not see writes of this kernel.
  kCacheReadOnly = 2,  // Constant while the kernel runs, read more than once.
  kCacheL2 = 3,        // L2 only: sees what other blocks have written.
};

/// A CUtensorMap, made by the driver (PTX) or by vm::encode_emulated_tensor_map (emulation).
struct alignas(64) TensorMap {
  u64 words[16];
};

/// Shared-memory swizzles of wgmma descriptors and tensor maps, as the descriptor encodes them.
enum Swizzle : int { kSwizzleNone = 0, kSwizzle128 = 1, kSwizzle64 = 2, kSwizzle32 = 3 };

/// The wgmma descriptor of a matrix in shared memory: the address of its first byte, and the byte
/// distances that the swizzle mode gives a meaning (PTX ISA, "Matrix Descriptor Format"):
/// K-major: `stride` from 8 rows to the next 8; `leading` between the two 16-byte halves of k=16,
/// used without swizzle only. MN-major: `stride` from 8 k to the next 8, `leading` from one
/// swizzle atom along M or N to the next (without swizzle the two change roles).
/// Pre: multiples of 16 below 2^18; the matrix starts at a multiple of the swizzle's repeat
/// (1024, 512, 256 bytes); later k of the same atom by adding bytes >> 4.
AB_FN u64 descriptor_bits(u32 shared, u32 leading, u32 stride, int swizzle) {
  return (u64{shared} & 0x3ffff) >> 4 | (u64{leading} & 0x3ffff) >> 4 << 16 |
         (u64{stride} & 0x3ffff) >> 4 << 32 | static_cast<u64>(swizzle) << 62;
}

}  // namespace ab
