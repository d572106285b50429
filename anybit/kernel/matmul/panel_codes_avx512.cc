#if defined(__x86_64__)
#include "anybit/kernel/matmul/internal/panel_codes.h"

namespace anybit::kernel::internal {

MultiplyFunction* find_multiply_codes_avx512(const PanelFormat& format) {
  return find_vector_multiply_codes(format);
}

}  // namespace anybit::kernel::internal
#endif
