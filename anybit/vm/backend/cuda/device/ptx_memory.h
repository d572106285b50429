// Global and shared memory, asynchronous copies, PTX body. A shared address is a u32 in the shared
// window; every address is a multiple of the access's bytes. Values of 1 and 2 bytes are
// zero-extended into a word.
#pragma once

#if defined(__CUDACC__)

extern __shared__ __align__(1024) unsigned char ab_dynamic_shared[];

namespace ab {

/// The address of the first byte of the block's dynamic shared memory; a multiple of 1024.
AB_FN u32 shared_base() { return static_cast<u32>(__cvta_generic_to_shared(ab_dynamic_shared)); }

/// Reads kBytes (1, 2, 4, 8, 16) at `address` into the words w.
template <int kBytes>
AB_FN void load_shared(u32* w, u32 address) {
  static_assert(kBytes == 1 || kBytes == 2 || kBytes == 4 || kBytes == 8 || kBytes == 16, "");
  if constexpr (kBytes == 1) {
    asm volatile("ld.shared.u8 %0, [%1];" : "=r"(w[0]) : "r"(address) : "memory");
  } else if constexpr (kBytes == 2) {
    u16 half;
    asm volatile("ld.shared.u16 %0, [%1];" : "=h"(half) : "r"(address) : "memory");
    w[0] = half;
  } else if constexpr (kBytes == 4) {
    asm volatile("ld.shared.u32 %0, [%1];" : "=r"(w[0]) : "r"(address) : "memory");
  } else if constexpr (kBytes == 8) {
    asm volatile("ld.shared.v2.u32 {%0, %1}, [%2];"
                 : "=r"(w[0]), "=r"(w[1])
                 : "r"(address)
                 : "memory");
  } else {
    asm volatile("ld.shared.v4.u32 {%0, %1, %2, %3}, [%4];"
                 : "=r"(w[0]), "=r"(w[1]), "=r"(w[2]), "=r"(w[3])
                 : "r"(address)
                 : "memory");
  }
}

/// Writes the low kBytes (1, 2, 4, 8, 16) of the words w to `address`.
template <int kBytes>
AB_FN void store_shared(u32 address, const u32* w) {
  static_assert(kBytes == 1 || kBytes == 2 || kBytes == 4 || kBytes == 8 || kBytes == 16, "");
  if constexpr (kBytes == 1) {
    asm volatile("st.shared.u8 [%0], %1;" ::"r"(address), "r"(w[0]) : "memory");
  } else if constexpr (kBytes == 2) {
    asm volatile("st.shared.u16 [%0], %1;" ::"r"(address), "h"(static_cast<u16>(w[0])) : "memory");
  } else if constexpr (kBytes == 4) {
    asm volatile("st.shared.u32 [%0], %1;" ::"r"(address), "r"(w[0]) : "memory");
  } else if constexpr (kBytes == 8) {
    asm volatile("st.shared.v2.u32 [%0], {%1, %2};" ::"r"(address), "r"(w[0]), "r"(w[1])
                 : "memory");
  } else {
    asm volatile("st.shared.v4.u32 [%0], {%1, %2, %3, %4};" ::"r"(address), "r"(w[0]), "r"(w[1]),
                 "r"(w[2]), "r"(w[3])
                 : "memory");
  }
}

#define AB_LOAD_GLOBAL(STATE)                                                          \
  if constexpr (kBytes == 1) {                                                         \
    asm volatile("ld.global" STATE ".u8 %0, [%1];" : "=r"(w[0]) : "l"(p) : "memory");  \
  } else if constexpr (kBytes == 2) {                                                  \
    u16 half;                                                                          \
    asm volatile("ld.global" STATE ".u16 %0, [%1];" : "=h"(half) : "l"(p) : "memory"); \
    w[0] = half;                                                                       \
  } else if constexpr (kBytes == 4) {                                                  \
    asm volatile("ld.global" STATE ".u32 %0, [%1];" : "=r"(w[0]) : "l"(p) : "memory"); \
  } else if constexpr (kBytes == 8) {                                                  \
    asm volatile("ld.global" STATE ".v2.u32 {%0, %1}, [%2];"                           \
                 : "=r"(w[0]), "=r"(w[1])                                              \
                 : "l"(p)                                                              \
                 : "memory");                                                          \
  } else {                                                                             \
    asm volatile("ld.global" STATE ".v4.u32 {%0, %1, %2, %3}, [%4];"                   \
                 : "=r"(w[0]), "=r"(w[1]), "=r"(w[2]), "=r"(w[3])                      \
                 : "l"(p)                                                              \
                 : "memory");                                                          \
  }

/// Reads kBytes (1, 2, 4, 8, 16) of global memory into the words w.
template <int kBytes, int kCache = kCacheDefault>
AB_FN void load_global(u32* w, const void* p) {
  static_assert(kBytes == 1 || kBytes == 2 || kBytes == 4 || kBytes == 8 || kBytes == 16, "");
  if constexpr (kCache == kCacheStream) {
    AB_LOAD_GLOBAL(".nc.L1::no_allocate.L2::256B")
  } else if constexpr (kCache == kCacheReadOnly) {
    AB_LOAD_GLOBAL(".nc")
  } else if constexpr (kCache == kCacheL2) {
    AB_LOAD_GLOBAL(".cg")
  } else {
    AB_LOAD_GLOBAL("")
  }
}
#undef AB_LOAD_GLOBAL

#define AB_STORE_GLOBAL(STATE)                                                              \
  if constexpr (kBytes == 1) {                                                              \
    asm volatile("st.global" STATE ".u8 [%0], %1;" ::"l"(p), "r"(w[0]) : "memory");         \
  } else if constexpr (kBytes == 2) {                                                       \
    asm volatile("st.global" STATE ".u16 [%0], %1;" ::"l"(p), "h"(static_cast<u16>(w[0]))   \
                 : "memory");                                                               \
  } else if constexpr (kBytes == 4) {                                                       \
    asm volatile("st.global" STATE ".u32 [%0], %1;" ::"l"(p), "r"(w[0]) : "memory");        \
  } else if constexpr (kBytes == 8) {                                                       \
    asm volatile("st.global" STATE ".v2.u32 [%0], {%1, %2};" ::"l"(p), "r"(w[0]), "r"(w[1]) \
                 : "memory");                                                               \
  } else {                                                                                  \
    asm volatile("st.global" STATE ".v4.u32 [%0], {%1, %2, %3, %4};" ::"l"(p), "r"(w[0]),   \
                 "r"(w[1]), "r"(w[2]), "r"(w[3])                                            \
                 : "memory");                                                               \
  }

/// Writes the low kBytes (1, 2, 4, 8, 16) of the words w to global memory.
template <int kBytes, int kCache = kCacheDefault>
AB_FN void store_global(void* p, const u32* w) {
  static_assert(kBytes == 1 || kBytes == 2 || kBytes == 4 || kBytes == 8 || kBytes == 16, "");
  if constexpr (kCache == kCacheStream) {
    AB_STORE_GLOBAL(".cs")
  } else if constexpr (kCache == kCacheL2) {
    AB_STORE_GLOBAL(".cg")
  } else {
    AB_STORE_GLOBAL("")
  }
}
#undef AB_STORE_GLOBAL

/// Starts copying kBytes (4, 8, 16; 16 passes by L1) from global to shared memory; zeros if not
/// `valid`, when `global` is not read. Done only after cp_async_wait.
template <int kBytes>
AB_FN void cp_async(u32 shared, const void* global, bool valid) {
  static_assert(kBytes == 4 || kBytes == 8 || kBytes == 16, "");
  const int bytes = valid ? kBytes : 0;
  if constexpr (kBytes == 16) {
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared), "l"(global),
                 "r"(bytes)
                 : "memory");
  } else {
    asm volatile("cp.async.ca.shared.global [%0], [%1], %3, %2;" ::"r"(shared), "l"(global),
                 "r"(bytes), "n"(kBytes)
                 : "memory");
  }
}

/// cp_async if `wanted`, else nothing: without a branch.
template <int kBytes>
AB_FN void cp_async_if(bool wanted, u32 shared, const void* global, bool valid) {
  static_assert(kBytes == 4 || kBytes == 8 || kBytes == 16, "");
  const int bytes = valid ? kBytes : 0;
  if constexpr (kBytes == 16) {
    asm volatile(
        "{ .reg .pred p; setp.ne.b32 p, %3, 0;\n"
        "@p cp.async.cg.shared.global [%0], [%1], 16, %2; }" ::"r"(shared),
        "l"(global), "r"(bytes), "r"((int)wanted)
        : "memory");
  } else {
    asm volatile(
        "{ .reg .pred p; setp.ne.b32 p, %4, 0;\n"
        "@p cp.async.ca.shared.global [%0], [%1], %3, %2; }" ::"r"(shared),
        "l"(global), "r"(bytes), "n"(kBytes), "r"((int)wanted)
        : "memory");
  }
}

/// Closes the group of this thread's copies since the last commit.
AB_FN void cp_async_commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }

/// Waits until all but the newest kGroups groups of this thread are done; their bytes are seen by
/// this thread, and by others after a barrier.
template <int kGroups>
AB_FN void cp_async_wait() {
  asm volatile("cp.async.wait_group %0;" ::"n"(kGroups) : "memory");
}

}  // namespace ab

#endif
