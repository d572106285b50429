#if defined(__x86_64__)
#include "anybit/kernel/matmul/internal/panel_multiply.h"
#include "anybit/kernel/matmul/internal/panel_ops.h"
#include "anybit/kernel/matmul/internal/panel_unpack.h"

namespace anybit::kernel::internal {

constinit const PanelOps kAvx512PanelOps = {
    find_vector_unpack, find_vector_multiply, find_multiply_codes_avx512,
    expand_scales_avx2, expand_products_avx2, add_mins_avx2,
    quantize_int8_avx2, quantize_int16_avx2,  {127, true}};

}  // namespace anybit::kernel::internal
#endif
