// mbarriers, bulk and tensor copies, clusters of the device header, emulated body. Bulk copies
// happen at once; their bytes complete at the barrier. Blocks of a cluster run one after another.
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

/// The words of an emulated TensorMap. Dimensions count from the fastest.
enum TensorMapWord : int {
  kMapPointer,
  kMapRank,          // 1..5
  kMapElementBytes,  // 1, 2, 4
  kMapSwizzle,
  kMapBox,                      // 12 bits a dimension.
  kMapExtent,                   // 5 words: elements.
  kMapStride = kMapExtent + 5,  // 4 words: bytes, from dimension 1 on.
  kMapMagic = kMapStride + 4,
};
constexpr u64 kTensorMapMagic = 0x616e79626974746d;
constexpr int kMaxTensorRank = 5;

/// Copies the box at `at`, element by element, to or from shared memory. Gives its bytes.
template <bool kToShared>
AB_FN u32 tensor_copy(u32 shared, const TensorMap* map, const i32* at, int rank, const char* what) {
  const u64* m = map->words;
  if (m[kMapMagic] != kTensorMapMagic || m[kMapRank] != static_cast<u64>(rank)) {
    host->fail("tensor copy: not an emulated tensor map of this rank");
  }
  const u32 bytes = static_cast<u32>(m[kMapElementBytes]);
  i64 box[kMaxTensorRank], count = 1;
  for (int d = 0; d < rank; ++d) {
    box[d] = static_cast<i64>(m[kMapBox] >> (12 * d) & 0xfff);
    count *= box[d];
  }
  const u32 box_bytes = static_cast<u32>(count) * bytes;
  shared_at(shared, box_bytes, 128, what);
  for (i64 i = 0; i < count; ++i) {
    i64 rest = i, offset = 0;
    bool inside = true;
    for (int d = 0; d < rank; ++d) {
      const i64 x = at[d] + rest % box[d];
      rest /= box[d];
      inside = inside && x >= 0 && x < static_cast<i64>(m[kMapExtent + d]);
      offset += x * (d == 0 ? bytes : static_cast<i64>(m[kMapStride + d - 1]));
    }
    const u32 address =
        swizzled(shared + static_cast<u32>(i) * bytes, static_cast<u32>(m[kMapSwizzle]));
    u8* element = shared_at(address, bytes, bytes, what);
    u8* global = reinterpret_cast<u8*>(m[kMapPointer]) + offset;
    if (inside) check_global(global, bytes, bytes, what);
    if (kToShared && inside) std::memcpy(element, global, bytes);
    if (kToShared && !inside) std::memset(element, 0, bytes);
    if (!kToShared && inside) std::memcpy(global, element, bytes);
  }
  return box_bytes;
}
#define AB_TENSOR_COPIES(RANK, PARAMETERS, ...)                                        \
  AB_FN void tensor_copy_g2s_##RANK##d(u32 shared, const TensorMap* map, PARAMETERS,   \
                                       u32 barrier) {                                  \
    const i32 at[] = {__VA_ARGS__};                                                    \
    const u32 bytes = tensor_copy<true>(shared, map, at, RANK, "tensor_copy_g2s");     \
    mbarrier_complete(barrier, bytes, "tensor_copy_g2s");                              \
  }                                                                                    \
  AB_FN void tensor_copy_s2g_##RANK##d(const TensorMap* map, PARAMETERS, u32 shared) { \
    const i32 at[] = {__VA_ARGS__};                                                    \
    tensor_copy<false>(shared, map, at, RANK, "tensor_copy_s2g");                      \
  }
#define AB_COMMA ,
AB_TENSOR_COPIES(1, i32 x, x)
AB_TENSOR_COPIES(2, i32 x AB_COMMA i32 y, x, y)
AB_TENSOR_COPIES(3, i32 x AB_COMMA i32 y AB_COMMA i32 z, x, y, z)
AB_TENSOR_COPIES(4, i32 x AB_COMMA i32 y AB_COMMA i32 z AB_COMMA i32 w, x, y, z, w)
AB_TENSOR_COPIES(5, i32 x AB_COMMA i32 y AB_COMMA i32 z AB_COMMA i32 w AB_COMMA i32 v, x, y, z, w,
                 v)
#undef AB_COMMA
#undef AB_TENSOR_COPIES
AB_FN void tensor_prefetch(const TensorMap*) {}

AB_FN void bulk_commit() {}
template <int kGroups>
AB_FN void bulk_wait_read() {}
template <int kGroups>
AB_FN void bulk_wait() {}

constexpr u32 kClusterBarrier = 16;  // Beyond the named ones.
AB_FN void cluster_sync() { host->barrier(kClusterBarrier, host->block_threads, true); }
AB_FN u32 cluster_rank() {
  const u32* c = host->cluster;
  const u32* b = host->block;
  return b[0] % c[0] + c[0] * (b[1] % c[1] + c[1] * (b[2] % c[2]));
}
AB_FN u32 cluster_blocks() { return host->cluster[0] * host->cluster[1] * host->cluster[2]; }
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
