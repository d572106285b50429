// Atomic operations and semaphores, PTX body. Atomics are relaxed, at the scope of the GPU, and
// return the old value. Float sums round to nearest even; their order is not fixed.
#pragma once

#if defined(__CUDACC__)

namespace ab {

#define AB_ATOMIC(NAME, OPERATION, TYPE, LETTER)           \
  AB_FN TYPE NAME##_global(TYPE* p, TYPE value) {          \
    TYPE old;                                              \
    asm volatile("atom.global." OPERATION " %0, [%1], %2;" \
                 : "=" LETTER(old)                         \
                 : "l"(p), LETTER(value)                   \
                 : "memory");                              \
    return old;                                            \
  }                                                        \
  AB_FN TYPE NAME##_shared(u32 address, TYPE value) {      \
    TYPE old;                                              \
    asm volatile("atom.shared." OPERATION " %0, [%1], %2;" \
                 : "=" LETTER(old)                         \
                 : "r"(address), LETTER(value)             \
                 : "memory");                              \
    return old;                                            \
  }

/// *p = *p + value (integers modulo 2^32), min, max, value; the old *p.
AB_ATOMIC(atomic_add, "add.f32", float, "f")
AB_ATOMIC(atomic_add, "add.u32", u32, "r")
AB_ATOMIC(atomic_add, "add.s32", i32, "r")
AB_ATOMIC(atomic_add_f16x2, "add.noftz.f16x2", u32, "r")
AB_ATOMIC(atomic_min, "min.s32", i32, "r")
AB_ATOMIC(atomic_min, "min.u32", u32, "r")
AB_ATOMIC(atomic_max, "max.s32", i32, "r")
AB_ATOMIC(atomic_max, "max.u32", u32, "r")
AB_ATOMIC(atomic_or, "or.b32", u32, "r")
AB_ATOMIC(atomic_and, "and.b32", u32, "r")
AB_ATOMIC(atomic_xor, "xor.b32", u32, "r")
AB_ATOMIC(atomic_exch, "exch.b32", u32, "r")
#undef AB_ATOMIC

/// *p = value if *p was `expected`; the old *p.
AB_FN u32 atomic_cas_global(u32* p, u32 expected, u32 value) {
  u32 old;
  asm volatile("atom.global.cas.b32 %0, [%1], %2, %3;"
               : "=r"(old)
               : "l"(p), "r"(expected), "r"(value)
               : "memory");
  return old;
}
AB_FN u32 atomic_cas_shared(u32 address, u32 expected, u32 value) {
  u32 old;
  asm volatile("atom.shared.cas.b32 %0, [%1], %2, %3;"
               : "=r"(old)
               : "r"(address), "r"(expected), "r"(value)
               : "memory");
  return old;
}

/// A load that later accesses of this thread cannot pass, and a store that earlier ones cannot,
/// seen by the whole GPU.
AB_FN u32 load_acquire(const u32* p) {
  u32 w;
  asm volatile("ld.acquire.gpu.global.u32 %0, [%1];" : "=r"(w) : "l"(p) : "memory");
  return w;
}
AB_FN void store_release(u32* p, u32 value) {
  asm volatile("st.release.gpu.global.u32 [%0], %1;" ::"l"(p), "r"(value) : "memory");
}
/// *p += value after this thread's earlier accesses are seen by the whole GPU; the old *p.
AB_FN u32 atomic_add_release(u32* p, u32 value) {
  u32 old;
  asm volatile("atom.add.acq_rel.gpu.global.u32 %0, [%1], %2;"
               : "=r"(old)
               : "l"(p), "r"(value)
               : "memory");
  return old;
}
AB_FN void fence_gpu() { asm volatile("fence.acq_rel.gpu;" ::: "memory"); }

/// Semaphores of a grid, called by every thread of the block: waits until *p == value; and after
/// all threads' earlier accesses, sets *p = value.
AB_FN void semaphore_acquire(const u32* p, u32 value) {
  if (threadIdx.x == 0) {
    while (load_acquire(p) != value) {
    }
  }
  __syncthreads();
}
AB_FN void semaphore_release(u32* p, u32 value) {
  __syncthreads();
  if (threadIdx.x == 0) {
    fence_gpu();
    store_release(p, value);
  }
}

}  // namespace ab

#endif
