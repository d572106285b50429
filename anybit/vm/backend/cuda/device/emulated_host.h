// What an emulated kernel asks of the emulator (backend/emulated/emulator.h): who is running, how
// to wait, where shared memory is. The kernel's library sets `host` before it runs.
#pragma once

#include "anybit/vm/backend/cuda/device/device_types.h"

namespace ab {

struct EmulatedHost {
  // The running thread.
  u32 thread, block_threads;
  u32 block[3], grid[3], cluster[3];
  // The block's shared memory, at address kSharedBase of the shared window.
  u8* shared;
  u32 shared_bytes;
  /// Where in the text the warp function stands that is called next; 0: not known. Lanes that meet
  /// from different lines are divergent.
  u32 line;

  /// Ends the launch with this message; does not return.
  void (*fail)(const char* message);
  /// Waits for all threads of this thread's aligned group of `threads`, then calls
  /// run(operands of all, threads) once. Threads that meet with different `run` are divergent.
  void (*collective)(u32 threads, const char* name, void (*run)(void** operands, u32 threads),
                     void* operands);
  /// Arrives at named barrier `id`, complete after `threads` arrivals, and waits if `wait`.
  void (*barrier)(u32 id, u32 threads, bool wait);
  /// Lets the others run until ready(argument).
  void (*wait_until)(bool (*ready)(const void* argument), const void* argument, const char* what);
  /// Lets the others run once; a block that does nothing else is stuck.
  void (*yield)(const char* what);
  /// Copies of this thread, done when waited for.
  void (*cp_async)(u8* to, const void* from, u32 bytes);
  void (*cp_async_commit)();
  void (*cp_async_wait)(u32 groups);
  /// Fails if global memory is known and [p, p + bytes) is outside.
  void (*check_global)(const void* p, u32 bytes, const char* what);
  void (*print)(const char* text);
};

constexpr u32 kSharedBase = 1024;  // As on sm_90, where the system keeps the first KiB.

static thread_local EmulatedHost* host = nullptr;

/// A meeting of the lanes of a warp, called from `line` of the text.
AB_FN void meet_warp(u32 line, const char* name, void (*run)(void** operands, u32 threads),
                     void* operands) {
  host->line = line;
  host->collective(32, name, run, operands);
}

}  // namespace ab
