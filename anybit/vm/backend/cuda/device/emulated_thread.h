// Identity, warps, barriers, semaphores and printing of the device header, emulated body.
#pragma once

#include "anybit/vm/backend/cuda/device/emulated_memory.h"

namespace ab {

AB_FN u32 thread() { return host->thread; }
AB_FN u32 lane() { return host->thread & 31; }
AB_FN void run_nothing(void**, u32) {}
AB_FN u32 warp(u32 line = __builtin_LINE()) {
  meet_warp(line, "warp", run_nothing, nullptr);
  return host->thread >> 5;
}
AB_FN u32 block_threads() { return host->block_threads; }
AB_FN u32 block_x() { return host->block[0]; }
AB_FN u32 block_y() { return host->block[1]; }
AB_FN u32 block_z() { return host->block[2]; }
AB_FN u32 grid_x() { return host->grid[0]; }
AB_FN u32 grid_y() { return host->grid[1]; }
AB_FN u32 grid_z() { return host->grid[2]; }

/// One lane's part of a shuffle: lane `source` gives the value, the own one if beyond the warp.
struct ShuffleOperand {
  u32 value, source, result;
};
AB_FN void run_shuffle(void** lanes, u32 count) {
  for (u32 i = 0; i < count; ++i) {
    ShuffleOperand& own = *static_cast<ShuffleOperand*>(lanes[i]);
    const u32 source = own.source < count ? own.source : i;
    own.result = static_cast<ShuffleOperand*>(lanes[source])->value;
  }
}
AB_FN u32 shuffle_from(u32 v, u32 source, u32 line) {
  ShuffleOperand operand = {v, source, 0};
  meet_warp(line, "shuffle", run_shuffle, &operand);
  return operand.result;
}
AB_FN u32 shuffle(u32 v, u32 source, u32 line = __builtin_LINE()) {
  return shuffle_from(v, source & 31, line);
}
AB_FN u32 shuffle_xor(u32 v, u32 mask, u32 line = __builtin_LINE()) {
  return shuffle_from(v, lane() ^ (mask & 31), line);
}
AB_FN u32 shuffle_up(u32 v, u32 delta, u32 line = __builtin_LINE()) {
  return shuffle_from(v, lane() - (delta & 31), line);
}
AB_FN u32 shuffle_down(u32 v, u32 delta, u32 line = __builtin_LINE()) {
  return shuffle_from(v, lane() + (delta & 31), line);
}
#define AB_SHUFFLE(NAME)                                              \
  AB_FN float NAME(float v, u32 which, u32 line = __builtin_LINE()) { \
    return bits_float(NAME(float_bits(v), which, line));              \
  }                                                                   \
  AB_FN i32 NAME(i32 v, u32 which, u32 line = __builtin_LINE()) {     \
    return static_cast<i32>(NAME(static_cast<u32>(v), which, line));  \
  }
AB_SHUFFLE(shuffle)
AB_SHUFFLE(shuffle_xor)
AB_SHUFFLE(shuffle_up)
AB_SHUFFLE(shuffle_down)
#undef AB_SHUFFLE

AB_FN void run_ballot(void** lanes, u32 count) {
  u32 votes = 0;
  for (u32 i = 0; i < count; ++i) votes |= *static_cast<u32*>(lanes[i]) << i;
  for (u32 i = 0; i < count; ++i) *static_cast<u32*>(lanes[i]) = votes;
}
AB_FN u32 ballot(bool predicate, u32 line = __builtin_LINE()) {
  u32 vote = predicate;
  meet_warp(line, "ballot", run_ballot, &vote);
  return vote;
}
AB_FN bool any(bool predicate, u32 line = __builtin_LINE()) { return ballot(predicate, line) != 0; }
AB_FN bool all(bool predicate, u32 line = __builtin_LINE()) {
  return ballot(predicate, line) == 0xffffffff;
}
AB_FN bool elect(u32 line = __builtin_LINE()) {
  meet_warp(line, "elect", run_nothing, nullptr);
  return lane() == 0;
}

AB_FN void sync_cta() { host->barrier(0, host->block_threads, true); }
AB_FN void sync_warp(u32 line = __builtin_LINE()) {
  meet_warp(line, "sync_warp", run_nothing, nullptr);
}
AB_FN void sync_named(u32 id, u32 threads) { host->barrier(id, threads, true); }
AB_FN void arrive_named(u32 id, u32 threads) { host->barrier(id, threads, false); }

/// What semaphore_acquire waits for.
struct SemaphoreWait {
  const u32* p;
  u32 value;
};
AB_FN bool semaphore_ready(const void* argument) {
  const SemaphoreWait& wait = *static_cast<const SemaphoreWait*>(argument);
  return *wait.p == wait.value;
}
AB_FN void semaphore_acquire(const u32* p, u32 value) {
  if (thread() == 0) {
    check_global(p, 4, 4, "semaphore_acquire");
    const SemaphoreWait wait = {p, value};
    host->wait_until(semaphore_ready, &wait, "semaphore_acquire");
  }
  sync_cta();
}
AB_FN void semaphore_release(u32* p, u32 value) {
  sync_cta();
  if (thread() == 0) store_release(p, value);
}

template <class... Values>
AB_FN void print(const char* format, Values... values) {
  char text[512];
  if constexpr (sizeof...(values) == 0) {
    std::snprintf(text, sizeof text, "%s", format);
  } else {
    std::snprintf(text, sizeof text, format, values...);
  }
  host->print(text);
}

AB_FN void assert_fail(u32 code) {
  char message[64];
  std::snprintf(message, sizeof message, "assertion %u failed", code);
  host->fail(message);
}

}  // namespace ab
