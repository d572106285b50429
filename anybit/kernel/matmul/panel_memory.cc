#include "anybit/kernel/matmul/internal/panel_memory.h"

#include <sys/mman.h>

#include <cstdlib>

#include "anybit/base/check.h"
#include "anybit/base/integer.h"

namespace anybit::kernel::internal {

PanelMemory::PanelMemory(int64_t size_bytes) : size_bytes_(size_bytes) {
  ANYBIT_CHECK(size_bytes >= 0);
  if (size_bytes == 0) return;
  constexpr int64_t kHugePage = int64_t{2} << 20, kLine = 64;
  const int64_t alignment = size_bytes >= kHugePage ? kHugePage : kLine;
  const auto capacity = static_cast<size_t>(round_up(size_bytes, alignment));
  void* memory = std::aligned_alloc(static_cast<size_t>(alignment), capacity);
  ANYBIT_CHECK(memory != nullptr);
  // Advice only: where it is not taken, the kernels are a little slower.
  if (alignment == kHugePage) (void)madvise(memory, capacity, MADV_HUGEPAGE);
  bytes_.reset(static_cast<std::byte*>(memory));
}

void PanelMemory::Free::operator()(std::byte* bytes) const { std::free(bytes); }

}  // namespace anybit::kernel::internal
