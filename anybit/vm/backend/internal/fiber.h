// Fibres: functions with stacks of their own that take turns on one operating-system thread, always
// by way of the thread that resumes them.
#pragma once

#include <ucontext.h>

#include <cstddef>
#include <memory>

#include "anybit/base/result.h"

namespace anybit::vm::internal {

/// `count` stacks in one map, with an unreadable page under each.
class FiberStacks {
 public:
  /// Errors: kOutOfMemory.
  static Result<FiberStacks> create(int count);
  FiberStacks(FiberStacks&& other) noexcept;
  FiberStacks& operator=(FiberStacks&& other) noexcept;
  ~FiberStacks();

  /// The lowest usable byte of a stack, and its size.
  std::byte* stack(int index) const;
  static size_t stack_bytes();

 private:
  FiberStacks() = default;
  std::byte* map_ = nullptr;
  size_t map_bytes_ = 0;
};

/// One fibre. It need not run to its end: its stack can simply be used again.
class Fiber {
 public:
  /// Makes the next resume() call entry(argument) on this stack. `entry` does not return: it ends
  /// in finish().
  void start(std::byte* stack, void (*entry)(void*), void* argument);

  /// Runs the fibre until it calls suspend() or finish().
  void resume();
  /// In the fibre: goes back to resume()'s caller, until resumed again.
  void suspend();
  /// In the fibre: goes back for good.
  [[noreturn]] void finish();

 private:
  static void trampoline(unsigned low, unsigned high);
  void enter();

  ucontext_t own_ = {};
  ucontext_t caller_ = {};
  std::byte* stack_ = nullptr;
  void (*entry_)(void*) = nullptr;
  void* argument_ = nullptr;
  void* own_fake_stack_ = nullptr;  // AddressSanitizer's.
  void* caller_fake_stack_ = nullptr;
  const void* caller_stack_ = nullptr;
  size_t caller_stack_bytes_ = 0;
};

}  // namespace anybit::vm::internal
