#include "anybit/vm/backend/internal/fiber.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <utility>

#include "anybit/base/check.h"

#if defined(__SANITIZE_ADDRESS__)
#define ANYBIT_ASAN_FIBERS 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ANYBIT_ASAN_FIBERS 1
#endif
#endif
#if defined(ANYBIT_ASAN_FIBERS)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

namespace anybit::vm::internal {
namespace {

size_t page_bytes() { return static_cast<size_t>(sysconf(_SC_PAGESIZE)); }

}  // namespace

size_t FiberStacks::stack_bytes() { return size_t{1} << 20; }

Result<FiberStacks> FiberStacks::create(int count) {
  FiberStacks stacks;
  const size_t each = stack_bytes() + page_bytes();
  stacks.map_bytes_ = each * static_cast<size_t>(count);
  void* map = mmap(nullptr, stacks.map_bytes_, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (map == MAP_FAILED) {
    return fail(ErrorCode::kOutOfMemory, "no {} bytes for the stacks of {} fibres",
                stacks.map_bytes_, count);
  }
  stacks.map_ = static_cast<std::byte*>(map);
  for (int i = 0; i < count; ++i) {
    if (mprotect(stacks.map_ + each * static_cast<size_t>(i), page_bytes(), PROT_NONE) != 0) {
      return fail(ErrorCode::kOutOfMemory, "cannot protect the stacks of {} fibres", count);
    }
  }
  return stacks;
}

FiberStacks::FiberStacks(FiberStacks&& other) noexcept
    : map_(std::exchange(other.map_, nullptr)), map_bytes_(other.map_bytes_) {}

FiberStacks& FiberStacks::operator=(FiberStacks&& other) noexcept {
  std::swap(map_, other.map_);
  std::swap(map_bytes_, other.map_bytes_);
  return *this;
}

FiberStacks::~FiberStacks() {
  if (map_ == nullptr) return;
#if defined(ANYBIT_ASAN_FIBERS)
  __asan_unpoison_memory_region(map_, map_bytes_);
#endif
  munmap(map_, map_bytes_);
}

std::byte* FiberStacks::stack(int index) const {
  return map_ + (stack_bytes() + page_bytes()) * static_cast<size_t>(index) + page_bytes();
}

void Fiber::start(std::byte* stack, void (*entry)(void*), void* argument) {
  stack_ = stack;
  entry_ = entry;
  argument_ = argument;
  own_fake_stack_ = nullptr;
#if defined(ANYBIT_ASAN_FIBERS)
  __asan_unpoison_memory_region(stack, FiberStacks::stack_bytes());
#endif
  ANYBIT_CHECK(getcontext(&own_) == 0);
  own_.uc_stack.ss_sp = stack;
  own_.uc_stack.ss_size = FiberStacks::stack_bytes();
  own_.uc_link = nullptr;
  const uint64_t self = reinterpret_cast<uint64_t>(this);
  makecontext(&own_, reinterpret_cast<void (*)()>(&Fiber::trampoline), 2,
              static_cast<unsigned>(self), static_cast<unsigned>(self >> 32));
}

void Fiber::trampoline(unsigned low, unsigned high) {
  reinterpret_cast<Fiber*>(uint64_t{high} << 32 | low)->enter();
}

void Fiber::enter() {
#if defined(ANYBIT_ASAN_FIBERS)
  __sanitizer_finish_switch_fiber(nullptr, &caller_stack_, &caller_stack_bytes_);
#endif
  entry_(argument_);
  std::abort();  // Pre of start(): entry ends in finish().
}

void Fiber::resume() {
#if defined(ANYBIT_ASAN_FIBERS)
  __sanitizer_start_switch_fiber(&caller_fake_stack_, stack_, FiberStacks::stack_bytes());
#endif
  swapcontext(&caller_, &own_);
#if defined(ANYBIT_ASAN_FIBERS)
  __sanitizer_finish_switch_fiber(caller_fake_stack_, nullptr, nullptr);
#endif
}

void Fiber::suspend() {
#if defined(ANYBIT_ASAN_FIBERS)
  __sanitizer_start_switch_fiber(&own_fake_stack_, caller_stack_, caller_stack_bytes_);
#endif
  swapcontext(&own_, &caller_);
#if defined(ANYBIT_ASAN_FIBERS)
  __sanitizer_finish_switch_fiber(own_fake_stack_, &caller_stack_, &caller_stack_bytes_);
#endif
}

void Fiber::finish() {
#if defined(ANYBIT_ASAN_FIBERS)
  __sanitizer_start_switch_fiber(nullptr, caller_stack_, caller_stack_bytes_);
#endif
  setcontext(&caller_);
  std::abort();
}

}  // namespace anybit::vm::internal
