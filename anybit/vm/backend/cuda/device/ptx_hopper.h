// sm_90: mbarriers, bulk and tensor copies, clusters, wgmma's synchronization, PTX body. The wgmma
// functions themselves are generated (tools/generate_wgmma.py).
#pragma once

#if defined(__CUDACC__) && __CUDA_ARCH__ >= 900

namespace ab {

/// An 8-byte barrier in shared memory that completes a phase after `count` arrivals and all
/// announced bytes. One thread initializes; fence_barrier_init() and a block barrier follow.
AB_FN void mbarrier_init(u32 barrier, u32 count) {
  asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(barrier), "r"(count) : "memory");
}
AB_FN void fence_barrier_init() {
  asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
}
AB_FN void mbarrier_invalidate(u32 barrier) {
  asm volatile("mbarrier.inval.shared::cta.b64 [%0];" ::"r"(barrier) : "memory");
}

/// One arrival; one arrival that also announces `bytes` of bulk copies.
AB_FN void mbarrier_arrive(u32 barrier) {
  asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(barrier) : "memory");
}
AB_FN void mbarrier_arrive_expect_tx(u32 barrier, u32 bytes) {
  asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(barrier), "r"(bytes)
               : "memory");
}
AB_FN void mbarrier_expect_tx(u32 barrier, u32 bytes) {
  asm volatile("mbarrier.expect_tx.relaxed.cta.shared::cta.b64 [%0], %1;" ::"r"(barrier), "r"(bytes)
               : "memory");
}

/// Whether the phase of this parity (0 for the first) has completed; waiting until it has.
AB_FN bool mbarrier_test(u32 barrier, u32 parity) {
  u32 done;
  asm volatile(
      "{.reg .pred p; mbarrier.try_wait.parity.shared::cta.b64 p, [%1], %2; selp.u32 %0, 1, 0, p;}"
      : "=r"(done)
      : "r"(barrier), "r"(parity)
      : "memory");
  return done != 0;
}
AB_FN void mbarrier_wait(u32 barrier, u32 parity) {
  while (!mbarrier_test(barrier, parity)) {
  }
}

/// Makes this thread's earlier writes to shared memory visible to bulk copies and wgmma.
AB_FN void fence_proxy_async() { asm volatile("fence.proxy.async.shared::cta;" ::: "memory"); }

/// Copies `bytes` (a multiple of 16, addresses too) and completes them at `barrier`. One thread.
AB_FN void bulk_copy_g2s(u32 shared, const void* global, u32 bytes, u32 barrier) {
  asm volatile(
      "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];" ::
          "r"(shared),
      "l"(global), "r"(bytes), "r"(barrier)
      : "memory");
}
/// Copies `bytes` (a multiple of 16, addresses too) as part of this thread's next bulk group.
AB_FN void bulk_copy_s2g(void* global, u32 shared, u32 bytes) {
  asm volatile("cp.async.bulk.global.shared::cta.bulk_group [%0], [%1], %2;" ::"l"(global),
               "r"(shared), "r"(bytes)
               : "memory");
}

/// The box of the map at element (x, y, ...), x the fastest dimension, to shared memory; elements
/// outside the tensor read as 0. The whole box's bytes complete at `barrier`. One thread.
AB_FN void tensor_copy_g2s_1d(u32 shared, const TensorMap* map, i32 x, u32 barrier) {
  asm volatile(
      "cp.async.bulk.tensor.1d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [%0], "
      "[%1, {%2}], [%3];" ::"r"(shared),
      "l"(map), "r"(x), "r"(barrier)
      : "memory");
}
AB_FN void tensor_copy_g2s_2d(u32 shared, const TensorMap* map, i32 x, i32 y, u32 barrier) {
  asm volatile(
      "cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [%0], "
      "[%1, {%2, %3}], [%4];" ::"r"(shared),
      "l"(map), "r"(x), "r"(y), "r"(barrier)
      : "memory");
}
AB_FN void tensor_copy_g2s_3d(u32 shared, const TensorMap* map, i32 x, i32 y, i32 z, u32 barrier) {
  asm volatile(
      "cp.async.bulk.tensor.3d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [%0], "
      "[%1, {%2, %3, %4}], [%5];" ::"r"(shared),
      "l"(map), "r"(x), "r"(y), "r"(z), "r"(barrier)
      : "memory");
}
AB_FN void tensor_copy_g2s_4d(u32 shared, const TensorMap* map, i32 x, i32 y, i32 z, i32 w,
                              u32 barrier) {
  asm volatile(
      "cp.async.bulk.tensor.4d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [%0], "
      "[%1, {%2, %3, %4, %5}], [%6];" ::"r"(shared),
      "l"(map), "r"(x), "r"(y), "r"(z), "r"(w), "r"(barrier)
      : "memory");
}
AB_FN void tensor_copy_g2s_5d(u32 shared, const TensorMap* map, i32 x, i32 y, i32 z, i32 w, i32 v,
                              u32 barrier) {
  asm volatile(
      "cp.async.bulk.tensor.5d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [%0], "
      "[%1, {%2, %3, %4, %5, %6}], [%7];" ::"r"(shared),
      "l"(map), "r"(x), "r"(y), "r"(z), "r"(w), "r"(v), "r"(barrier)
      : "memory");
}
/// Its reverse, as part of this thread's next bulk group; elements outside are not written.
AB_FN void tensor_copy_s2g_1d(const TensorMap* map, i32 x, u32 shared) {
  asm volatile(
      "cp.async.bulk.tensor.1d.global.shared::cta.tile.bulk_group [%0, {%1}], [%2];" ::"l"(map),
      "r"(x), "r"(shared)
      : "memory");
}
AB_FN void tensor_copy_s2g_2d(const TensorMap* map, i32 x, i32 y, u32 shared) {
  asm volatile(
      "cp.async.bulk.tensor.2d.global.shared::cta.tile.bulk_group [%0, {%1, %2}], [%3];" ::"l"(map),
      "r"(x), "r"(y), "r"(shared)
      : "memory");
}
AB_FN void tensor_copy_s2g_3d(const TensorMap* map, i32 x, i32 y, i32 z, u32 shared) {
  asm volatile(
      "cp.async.bulk.tensor.3d.global.shared::cta.tile.bulk_group [%0, {%1, %2, %3}], [%4];" ::"l"(
          map),
      "r"(x), "r"(y), "r"(z), "r"(shared)
      : "memory");
}
AB_FN void tensor_copy_s2g_4d(const TensorMap* map, i32 x, i32 y, i32 z, i32 w, u32 shared) {
  asm volatile(
      "cp.async.bulk.tensor.4d.global.shared::cta.tile.bulk_group [%0, {%1, %2, %3, %4}], [%5];" ::
          "l"(map),
      "r"(x), "r"(y), "r"(z), "r"(w), "r"(shared)
      : "memory");
}
AB_FN void tensor_copy_s2g_5d(const TensorMap* map, i32 x, i32 y, i32 z, i32 w, i32 v, u32 shared) {
  asm volatile(
      "cp.async.bulk.tensor.5d.global.shared::cta.tile.bulk_group [%0, {%1, %2, %3, %4, %5}], "
      "[%6];" ::"l"(map),
      "r"(x), "r"(y), "r"(z), "r"(w), "r"(v), "r"(shared)
      : "memory");
}
AB_FN void tensor_prefetch(const TensorMap* map) {
  asm volatile("prefetch.tensormap [%0];" ::"l"(map) : "memory");
}

/// Closes this thread's bulk group; waits until all but the newest kGroups have read their shared
/// memory (_read), or are done.
AB_FN void bulk_commit() { asm volatile("cp.async.bulk.commit_group;" ::: "memory"); }
template <int kGroups>
AB_FN void bulk_wait_read() {
  asm volatile("cp.async.bulk.wait_group.read %0;" ::"n"(kGroups) : "memory");
}
template <int kGroups>
AB_FN void bulk_wait() {
  asm volatile("cp.async.bulk.wait_group %0;" ::"n"(kGroups) : "memory");
}

/// The barrier of all threads of the cluster: arriving, waiting, both; this block's rank and
/// number.
AB_FN void cluster_arrive() {
  asm volatile("barrier.cluster.arrive.release.aligned;" ::: "memory");
}
AB_FN void cluster_wait() { asm volatile("barrier.cluster.wait.acquire.aligned;" ::: "memory"); }
AB_FN void cluster_sync() {
  cluster_arrive();
  cluster_wait();
}
AB_FN u32 cluster_rank() {
  u32 rank;
  asm volatile("mov.u32 %0, %%cluster_ctarank;" : "=r"(rank));
  return rank;
}
AB_FN u32 cluster_blocks() {
  u32 blocks;
  asm volatile("mov.u32 %0, %%cluster_nctarank;" : "=r"(blocks));
  return blocks;
}

/// wgmma, by the four warps of a warpgroup together: fence before the first after registers were
/// written; commit closes a group; wait until all but the newest kGroups groups are done.
AB_FN void wgmma_fence() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }
AB_FN void wgmma_commit() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }
template <int kGroups>
AB_FN void wgmma_wait() {
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(kGroups) : "memory");
}

/// Ties a register to this place of the program: the compiler moves no use of it across.
AB_FN void pin(float& x) { asm volatile("" : "+f"(x)::"memory"); }
AB_FN void pin(u32& x) { asm volatile("" : "+r"(x)::"memory"); }

/// Registers a thread of this warpgroup may use from here on: more, fewer. kRegisters: a multiple
/// of 8 in 24..256.
template <int kRegisters>
AB_FN void setmaxnreg_inc() {
  asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(kRegisters));
}
template <int kRegisters>
AB_FN void setmaxnreg_dec() {
  asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(kRegisters));
}

}  // namespace ab

#endif
