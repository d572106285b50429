// Loops of 8-bit multiply-adds that touch no memory: the ceiling of integer kernels.
#pragma once

#include <cstdint>

#include "anybit/base/cpu.h"

namespace anybit::kernel::internal {

struct Int8Peak {
  int64_t multiply_adds_per_round;
  void (*run)(int64_t rounds);
};

/// The loop for this processor, or null.
const Int8Peak* find_int8_peak(const CpuFeatures& cpu);

void run_int8_peak_avx2(int64_t rounds);
void run_int8_peak_avx512vnni(int64_t rounds);

}  // namespace anybit::kernel::internal
