// Who a thread is; warps, barriers, printing, PTX body. Blocks have one dimension of threads, a
// multiple of 32. Warp functions are called by all 32 lanes together.
#pragma once

#if defined(__CUDACC__)

namespace ab {

AB_FN u32 thread() { return threadIdx.x; }
AB_FN u32 lane() { return threadIdx.x & 31; }
/// The warp of this thread, in a register the compiler knows to be the same in all lanes.
AB_FN u32 warp() { return __shfl_sync(0xffffffff, threadIdx.x >> 5, 0); }
AB_FN u32 block_threads() { return blockDim.x; }
AB_FN u32 block_x() { return blockIdx.x; }
AB_FN u32 block_y() { return blockIdx.y; }
AB_FN u32 block_z() { return blockIdx.z; }
AB_FN u32 grid_x() { return gridDim.x; }
AB_FN u32 grid_y() { return gridDim.y; }
AB_FN u32 grid_z() { return gridDim.z; }

/// Lane `source` mod 32's v; of lane ^ mask; of lane - delta and lane + delta, the own v where there
/// is no such lane.
AB_FN u32 shuffle(u32 v, u32 source) { return __shfl_sync(0xffffffff, v, source & 31); }
AB_FN u32 shuffle_xor(u32 v, u32 mask) { return __shfl_xor_sync(0xffffffff, v, mask); }
AB_FN u32 shuffle_up(u32 v, u32 delta) { return __shfl_up_sync(0xffffffff, v, delta); }
AB_FN u32 shuffle_down(u32 v, u32 delta) { return __shfl_down_sync(0xffffffff, v, delta); }
AB_FN float shuffle(float v, u32 source) { return bits_float(shuffle(float_bits(v), source)); }
AB_FN float shuffle_xor(float v, u32 mask) { return bits_float(shuffle_xor(float_bits(v), mask)); }
AB_FN float shuffle_up(float v, u32 delta) { return bits_float(shuffle_up(float_bits(v), delta)); }
AB_FN float shuffle_down(float v, u32 delta) {
  return bits_float(shuffle_down(float_bits(v), delta));
}
AB_FN i32 shuffle(i32 v, u32 source) { return static_cast<i32>(shuffle(static_cast<u32>(v), source)); }
AB_FN i32 shuffle_xor(i32 v, u32 mask) {
  return static_cast<i32>(shuffle_xor(static_cast<u32>(v), mask));
}
AB_FN i32 shuffle_up(i32 v, u32 delta) {
  return static_cast<i32>(shuffle_up(static_cast<u32>(v), delta));
}
AB_FN i32 shuffle_down(i32 v, u32 delta) {
  return static_cast<i32>(shuffle_down(static_cast<u32>(v), delta));
}

/// Bit i: lane i's predicate. Whether any, all predicates hold.
AB_FN u32 ballot(bool predicate) { return __ballot_sync(0xffffffff, predicate); }
AB_FN bool any(bool predicate) { return __any_sync(0xffffffff, predicate); }
AB_FN bool all(bool predicate) { return __all_sync(0xffffffff, predicate); }

/// True in lane 0 of the warp only.
AB_FN bool elect() {
#if __CUDA_ARCH__ >= 900
  u32 elected;
  asm volatile(
      "{.reg .pred p; elect.sync _|p, 0xffffffff; selp.u32 %0, 1, 0, p;}" : "=r"(elected));
  return elected != 0;
#else
  return lane() == 0;
#endif
}

/// Barriers: of all threads of the block; of the warp; number id (1..15; 0 is sync_cta's) of
/// `threads` threads (a multiple of 32); arriving at one without waiting.
AB_FN void sync_cta() { __syncthreads(); }
AB_FN void sync_warp() { __syncwarp(); }
AB_FN void sync_named(u32 id, u32 threads) {
  asm volatile("barrier.cta.sync.aligned %0, %1;" ::"r"(id), "r"(threads) : "memory");
}
AB_FN void arrive_named(u32 id, u32 threads) {
  asm volatile("barrier.cta.arrive.aligned %0, %1;" ::"r"(id), "r"(threads) : "memory");
}

/// Writes a line of text, as printf.
template <class... Values>
AB_FN void print(const char* format, Values... values) {
  printf(format, values...);
}

/// Stops the grid with an error; `code` says which assertion failed, in the print-out.
AB_FN void assert_fail(u32 code) {
  printf("anybit: assertion %u failed in block (%u, %u, %u), thread %u\n", code, blockIdx.x,
         blockIdx.y, blockIdx.z, threadIdx.x);
  __trap();
}

}  // namespace ab

#endif
