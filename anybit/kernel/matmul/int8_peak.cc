#include "anybit/kernel/matmul/internal/int8_peak.h"

namespace anybit::kernel::internal {

const Int8Peak* find_int8_peak([[maybe_unused]] const CpuFeatures& cpu) {
#if defined(__x86_64__)
  static constexpr Int8Peak kAvx512Vnni{8 * 64, run_int8_peak_avx512vnni};
  static constexpr Int8Peak kAvx2{8 * 32, run_int8_peak_avx2};
  if (cpu.avx512_vnni) return &kAvx512Vnni;
  if (cpu.avx2) return &kAvx2;
#endif
  return nullptr;
}

}  // namespace anybit::kernel::internal
