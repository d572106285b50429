#include "anybit/kernel/kv_cache/internal/kv_rows.h"
#include "anybit/kernel/kv_cache/internal/kv_rows_vector.h"

namespace anybit::kernel::internal {

void decode_rows_avx2(const KvRows& rows, int64_t count, int64_t out_stride, float* out) {
  decode_rows_vector(rows, count, out_stride, out);
}

void encode_f16_avx2(const float* x, int64_t count, std::byte* out) {
  encode_f16_vector(x, count, out);
}

}  // namespace anybit::kernel::internal
