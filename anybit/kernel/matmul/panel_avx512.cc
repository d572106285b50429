#if defined(__x86_64__)
#include "anybit/kernel/matmul/internal/panel_expand.h"
#include "anybit/kernel/matmul/internal/panel_multiply.h"
#include "anybit/kernel/matmul/internal/panel_ops.h"
#include "anybit/kernel/matmul/internal/panel_unpack.h"

namespace anybit::kernel::internal {

void expand_scales_avx512(const ExpandScalesArguments& arguments, float* out) {
  expand_scales(arguments, out);
}

void expand_products_avx512(const ExpandProductsArguments& arguments, float* out) {
  expand_products(arguments, out);
}

void add_mins_avx512(const float* mins, const float* group_sums, int64_t num_groups, int columns,
                     float* sums) {
  add_mins(mins, group_sums, num_groups, columns, sums);
}

constinit const PanelOps kAvx512PanelOps = {
    find_vector_unpack,   find_vector_multiply,   find_multiply_codes_avx512,
    expand_scales_avx512, expand_products_avx512, add_mins_avx512,
    quantize_int8_avx2,   quantize_int16_avx2,    {127, true, false}};

}  // namespace anybit::kernel::internal
#endif
