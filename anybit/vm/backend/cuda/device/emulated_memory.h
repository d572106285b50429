// Memory, asynchronous copies and atomics of the device header, emulated body. One thread runs at a
// time, so that atomics are plain. Shared accesses are checked: bounds and alignment.
#pragma once

#include <cstdio>
#include <cstring>

#include "anybit/vm/backend/cuda/device/device_float.h"
#include "anybit/vm/backend/cuda/device/device_types.h"
#include "anybit/vm/backend/cuda/device/emulated_host.h"
#include "anybit/vm/backend/cuda/device/emulated_scalar.h"

namespace ab {

AB_FN u32 shared_base() { return kSharedBase; }

/// The bytes of a shared address; ends the launch if they are outside or misaligned.
AB_FN u8* shared_at(u32 address, u32 bytes, u32 alignment, const char* what) {
  const u32 offset = address - kSharedBase;
  if (address < kSharedBase || offset > host->shared_bytes || bytes > host->shared_bytes - offset ||
      address % alignment != 0) {
    char message[160];
    std::snprintf(message, sizeof message,
                  "%s of %u bytes at shared address %u (offset %d): outside the block's %u bytes, "
                  "or not a multiple of %u",
                  what, bytes, address, static_cast<int>(offset), host->shared_bytes, alignment);
    host->fail(message);
  }
  return host->shared + offset;
}

/// Checks a global address; ends the launch if it is misaligned or known to be outside.
AB_FN void check_global(const void* p, u32 bytes, u32 alignment, const char* what) {
  if (reinterpret_cast<u64>(p) % alignment != 0) {
    char message[160];
    std::snprintf(message, sizeof message, "%s of %u bytes at global %p: not a multiple of %u",
                  what, bytes, p, alignment);
    host->fail(message);
  }
  host->check_global(p, bytes, what);
}

template <int kBytes>
AB_FN void load_shared(u32* w, u32 address) {
  static_assert(kBytes == 1 || kBytes == 2 || kBytes == 4 || kBytes == 8 || kBytes == 16, "");
  if (kBytes < 4) w[0] = 0;
  std::memcpy(w, shared_at(address, kBytes, kBytes, "load_shared"), kBytes);
}
template <int kBytes>
AB_FN void store_shared(u32 address, const u32* w) {
  static_assert(kBytes == 1 || kBytes == 2 || kBytes == 4 || kBytes == 8 || kBytes == 16, "");
  std::memcpy(shared_at(address, kBytes, kBytes, "store_shared"), w, kBytes);
}

template <int kBytes, int kCache = kCacheDefault>
AB_FN void load_global(u32* w, const void* p) {
  static_assert(kBytes == 1 || kBytes == 2 || kBytes == 4 || kBytes == 8 || kBytes == 16, "");
  check_global(p, kBytes, kBytes, "load_global");
  if (kBytes < 4) w[0] = 0;
  std::memcpy(w, p, kBytes);
}
template <int kBytes, int kCache = kCacheDefault>
AB_FN void store_global(void* p, const u32* w) {
  static_assert(kBytes == 1 || kBytes == 2 || kBytes == 4 || kBytes == 8 || kBytes == 16, "");
  check_global(p, kBytes, kBytes, "store_global");
  std::memcpy(p, w, kBytes);
}

template <int kBytes>
AB_FN void cp_async(u32 shared, const void* global, bool valid) {
  static_assert(kBytes == 4 || kBytes == 8 || kBytes == 16, "");
  u8* to = shared_at(shared, kBytes, kBytes, "cp_async");
  if (valid) check_global(global, kBytes, kBytes, "cp_async");
  host->cp_async(to, valid ? global : nullptr, kBytes);
}
template <int kBytes>
AB_FN void cp_async_if(bool wanted, u32 shared, const void* global, bool valid) {
  if (wanted) cp_async<kBytes>(shared, global, valid);
}
AB_FN void cp_async_commit() { host->cp_async_commit(); }
template <int kGroups>
AB_FN void cp_async_wait() {
  host->cp_async_wait(kGroups);
}

#define AB_ATOMIC(NAME, TYPE, EXPRESSION)                     \
  AB_FN TYPE NAME##_at(void* p, TYPE value) {                 \
    TYPE old;                                                 \
    std::memcpy(&old, p, 4);                                  \
    const TYPE updated = EXPRESSION;                          \
    std::memcpy(p, &updated, 4);                              \
    return old;                                               \
  }                                                           \
  AB_FN TYPE NAME##_global(TYPE* p, TYPE value) {             \
    check_global(p, 4, 4, #NAME);                             \
    return NAME##_at(p, value);                               \
  }                                                           \
  AB_FN TYPE NAME##_shared(u32 address, TYPE value) {         \
    return NAME##_at(shared_at(address, 4, 4, #NAME), value); \
  }
AB_ATOMIC(atomic_add, float, add(old, value))
AB_ATOMIC(atomic_add, u32, old + value)
AB_ATOMIC(atomic_add, i32, static_cast<i32>(static_cast<u32>(old) + static_cast<u32>(value)))
AB_ATOMIC(atomic_add_f16x2, u32, f16x2_add(old, value))
AB_ATOMIC(atomic_min, i32, old < value ? old : value)
AB_ATOMIC(atomic_min, u32, old < value ? old : value)
AB_ATOMIC(atomic_max, i32, old < value ? value : old)
AB_ATOMIC(atomic_max, u32, old < value ? value : old)
AB_ATOMIC(atomic_or, u32, old | value)
AB_ATOMIC(atomic_and, u32, old& value)
AB_ATOMIC(atomic_xor, u32, old ^ value)
AB_ATOMIC(atomic_exch, u32, value)
#undef AB_ATOMIC

AB_FN u32 atomic_cas_global(u32* p, u32 expected, u32 value) {
  check_global(p, 4, 4, "atomic_cas");
  host->yield("atomic_cas");
  const u32 old = *p;
  if (old == expected) *p = value;
  return old;
}
AB_FN u32 atomic_cas_shared(u32 address, u32 expected, u32 value) {
  u8* p = shared_at(address, 4, 4, "atomic_cas");
  host->yield("atomic_cas");
  u32 old;
  std::memcpy(&old, p, 4);
  if (old == expected) std::memcpy(p, &value, 4);
  return old;
}

AB_FN u32 load_acquire(const u32* p) {
  check_global(p, 4, 4, "load_acquire");
  host->yield("load_acquire");
  return *p;
}
AB_FN void store_release(u32* p, u32 value) {
  check_global(p, 4, 4, "store_release");
  *p = value;
}
AB_FN u32 atomic_add_release(u32* p, u32 value) { return atomic_add_global(p, value); }
AB_FN void fence_gpu() {}

}  // namespace ab
