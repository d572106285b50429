// mbarriers, bulk and tensor copies, clusters of the device header, emulated body. Bulk copies
// happen at once; their bytes complete at the barrier. Clusters have one block.
#pragma once

#include "anybit/vm/backend/cuda/device/emulated_thread.h"

namespace ab {

/// The emulation's contents of an mbarrier's 8 bytes.
struct Mbarrier {
  u64 pending : 16, count : 16, parity : 1, magic : 7, bytes : 24;  // bytes modulo 2^24.
};
constexpr u64 kMbarrierMagic = 0x2a;

AB_FN Mbarrier* mbarrier_at(u32 address, const char* what) {
  Mbarrier* barrier = reinterpret_cast<Mbarrier*>(shared_at(address, 8, 8, what));
  if (barrier->magic != kMbarrierMagic) {
    char message[96];
    std::snprintf(message, sizeof message, "%s: no mbarrier at shared address %u", what, address);
    host->fail(message);
  }
  return barrier;
}
AB_FN void mbarrier_count(Mbarrier* barrier, u32 bytes) {
  barrier->bytes = (barrier->bytes + bytes) & 0xffffff;
}
AB_FN void mbarrier_advance(Mbarrier* barrier) {
  if (barrier->pending == 0 && barrier->bytes == 0) {
    barrier->parity ^= 1;
    barrier->pending = barrier->count;
  }
}
AB_FN void mbarrier_init(u32 address, u32 count) {
  Mbarrier barrier = {};
  barrier.pending = count & 0xffff;
  barrier.count = count & 0xffff;
  barrier.magic = kMbarrierMagic;
  std::memcpy(shared_at(address, 8, 8, "mbarrier_init"), &barrier, 8);
}
AB_FN void mbarrier_invalidate(u32 barrier) {
  std::memset(mbarrier_at(barrier, "mbarrier_invalidate"), 0xff, 8);
}
AB_FN void fence_barrier_init() {}
AB_FN void mbarrier_expect_tx(u32 barrier, u32 bytes) {
  mbarrier_count(mbarrier_at(barrier, "mbarrier_expect_tx"), bytes);
}
AB_FN void mbarrier_arrive_expect_tx(u32 address, u32 bytes) {
  Mbarrier* barrier = mbarrier_at(address, "mbarrier_arrive");
  if (barrier->pending == 0) host->fail("mbarrier_arrive: more arrivals than the barrier counts");
  mbarrier_count(barrier, bytes);
  barrier->pending = (barrier->pending - 1) & 0xffff;
  mbarrier_advance(barrier);
}
AB_FN void mbarrier_arrive(u32 address) { mbarrier_arrive_expect_tx(address, 0); }
AB_FN void mbarrier_complete(u32 address, u32 bytes, const char* what) {
  Mbarrier* barrier = mbarrier_at(address, what);
  mbarrier_count(barrier, 0u - bytes);
  mbarrier_advance(barrier);
}

struct MbarrierWait {
  const Mbarrier* barrier;
  u32 parity;
};
AB_FN bool mbarrier_ready(const void* argument) {
  const MbarrierWait& wait = *static_cast<const MbarrierWait*>(argument);
  return wait.barrier->parity != (wait.parity & 1);
}
AB_FN bool mbarrier_test(u32 address, u32 parity) {
  const MbarrierWait wait = {mbarrier_at(address, "mbarrier_test"), parity};
  if (!mbarrier_ready(&wait)) host->yield("mbarrier_test");
  return mbarrier_ready(&wait);
}
AB_FN void mbarrier_wait(u32 address, u32 parity) {
  const MbarrierWait wait = {mbarrier_at(address, "mbarrier_wait"), parity};
  char what[64];
  std::snprintf(what, sizeof what, "mbarrier_wait(%u, parity %u)", address, parity & 1);
  host->wait_until(mbarrier_ready, &wait, what);
}

AB_FN void fence_proxy_async() {}

AB_FN void bulk_copy_g2s(u32 shared, const void* global, u32 bytes, u32 barrier) {
  if (bytes % 16 != 0) host->fail("bulk_copy_g2s: the bytes are not a multiple of 16");
  u8* to = shared_at(shared, bytes, 16, "bulk_copy_g2s");
  check_global(global, bytes, 16, "bulk_copy_g2s");
  std::memcpy(to, global, bytes);
  mbarrier_complete(barrier, bytes, "bulk_copy_g2s");
}
AB_FN void bulk_copy_s2g(void* global, u32 shared, u32 bytes) {
  if (bytes % 16 != 0) host->fail("bulk_copy_s2g: the bytes are not a multiple of 16");
  const u8* from = shared_at(shared, bytes, 16, "bulk_copy_s2g");
  check_global(global, bytes, 16, "bulk_copy_s2g");
  std::memcpy(global, from, bytes);
}

/// The address that a swizzle mode sends `address` to: 16-byte units by bits 7, 8, 9 of it.
AB_FN u32 swizzled(u32 address, u32 swizzle) {
  const u32 mask = swizzle == kSwizzle128 ? 7 : swizzle == kSwizzle64 ? 3 : swizzle == kSwizzle32;
  return address ^ (address >> 7 & mask) << 4;
}

/// The words of an emulated TensorMap.
enum TensorMapWord : int {
  kMapPointer,
  kMapWidth,
  kMapHeight,
  kMapPitch,  // Bytes from a row to the next.
  kMapBoxWidth,
  kMapBoxHeight,
  kMapElementBytes,
  kMapSwizzle,
  kMapMagic,
};
constexpr u64 kTensorMapMagic = 0x616e79626974746d;

/// Copies the box at (x, y), element by element, to or from shared memory.
template <bool kToShared>
AB_FN u32 tensor_copy_2d(u32 shared, const TensorMap* map, i32 x, i32 y, const char* what) {
  const u64* m = map->words;
  if (m[kMapMagic] != kTensorMapMagic) host->fail("tensor copy: not an emulated tensor map");
  const i64 width = static_cast<i64>(m[kMapWidth]), height = static_cast<i64>(m[kMapHeight]);
  const i64 box_width = static_cast<i64>(m[kMapBoxWidth]);
  const i64 box_height = static_cast<i64>(m[kMapBoxHeight]);
  const u32 bytes = static_cast<u32>(m[kMapElementBytes]);
  const u32 box_bytes = static_cast<u32>(box_width * box_height) * bytes;
  shared_at(shared, box_bytes, 128, what);
  for (i64 j = 0; j < box_height; ++j) {
    for (i64 i = 0; i < box_width; ++i) {
      const u32 offset = static_cast<u32>(j * box_width + i) * bytes;
      const u32 address = swizzled(shared + offset, static_cast<u32>(m[kMapSwizzle]));
      u8* element = shared_at(address, bytes, bytes, what);
      const bool inside = x + i >= 0 && x + i < width && y + j >= 0 && y + j < height;
      u8* global = reinterpret_cast<u8*>(m[kMapPointer]) + (y + j) * static_cast<i64>(m[kMapPitch]) +
                   (x + i) * bytes;
      if (inside) check_global(global, bytes, bytes, what);
      if (kToShared && inside) std::memcpy(element, global, bytes);
      if (kToShared && !inside) std::memset(element, 0, bytes);
      if (!kToShared && inside) std::memcpy(global, element, bytes);
    }
  }
  return box_bytes;
}
AB_FN void tensor_copy_g2s_2d(u32 shared, const TensorMap* map, i32 x, i32 y, u32 barrier) {
  const u32 bytes = tensor_copy_2d<true>(shared, map, x, y, "tensor_copy_g2s_2d");
  mbarrier_complete(barrier, bytes, "tensor_copy_g2s_2d");
}
AB_FN void tensor_copy_s2g_2d(const TensorMap* map, i32 x, i32 y, u32 shared) {
  tensor_copy_2d<false>(shared, map, x, y, "tensor_copy_s2g_2d");
}
AB_FN void tensor_prefetch(const TensorMap*) {}

AB_FN void bulk_commit() {}
template <int kGroups>
AB_FN void bulk_wait_read() {}
template <int kGroups>
AB_FN void bulk_wait() {}

constexpr u32 kClusterBarrier = 16;  // Beyond the named ones.
AB_FN void cluster_sync() { host->barrier(kClusterBarrier, host->block_threads, true); }
AB_FN u32 cluster_rank() { return 0; }
AB_FN u32 cluster_blocks() { return 1; }
/// The split form: the wait alone is the rendezvous.
AB_FN void cluster_arrive() {}
AB_FN void cluster_wait() { cluster_sync(); }

AB_FN void pin(float&) {}
AB_FN void pin(u32&) {}
template <int kRegisters>
AB_FN void setmaxnreg_inc() {
  static_assert(kRegisters % 8 == 0 && kRegisters >= 24 && kRegisters <= 256, "");
}
template <int kRegisters>
AB_FN void setmaxnreg_dec() {
  static_assert(kRegisters % 8 == 0 && kRegisters >= 24 && kRegisters <= 256, "");
}

}  // namespace ab
