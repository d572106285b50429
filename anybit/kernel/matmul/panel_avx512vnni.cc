#if defined(__x86_64__)
#include "anybit/kernel/matmul/internal/panel_multiply.h"
#include "anybit/kernel/matmul/internal/panel_ops.h"
#include "anybit/kernel/matmul/internal/panel_unpack.h"

namespace anybit::kernel::internal {

constinit const PanelOps kAvx512VnniPanelOps = {
    find_vector_unpack,   find_vector_multiply,   find_multiply_codes_avx512vnni,
    expand_scales_avx512, expand_products_avx512, add_mins_avx512,
    quantize_int8_avx2,   quantize_int16_avx2,    {255, false, true}};

}  // namespace anybit::kernel::internal
#endif
