#include "anybit/kernel/norm/rms_norm.h"

#include <algorithm>

#include "anybit/base/check.h"
#include "anybit/kernel/norm/internal/rms_norm_functions.h"

namespace anybit::kernel {
namespace {

constexpr Variant<RmsNormRow> kVariants[] = {
    {"avx512", needs_avx512, internal::rms_norm_avx512},
    {"avx2", needs_avx2, internal::rms_norm_avx2},
    {"reference", needs_nothing, internal::rms_norm_reference},
};

constexpr int64_t kGrain = 32768;  // Elements worth a thread: about 5 microseconds.

}  // namespace

std::span<const Variant<RmsNormRow>> rms_norm_variants() { return kVariants; }

void rms_norm(const float* x, const float* weight, int64_t num_rows, int64_t row_size,
              const RmsNormParameters& parameters, float* out, Threads threads) {
  ANYBIT_CHECK(num_rows >= 0 && row_size > 0);
  RmsNormRow* const function = best_variant(rms_norm_variants(), CpuFeatures::host());
  parallel_for(threads, num_rows, std::max<int64_t>(1, kGrain / row_size),
               [&](int64_t begin, int64_t end) {
                 for (int64_t row = begin; row < end; ++row) {
                   function(x + row * row_size, weight, row_size, parameters, out + row * row_size);
                 }
               });
}

void rms_norm_heads(float* x, const float* weight, int64_t num_tokens, int64_t num_heads,
                    int64_t head_dim, int64_t token_stride, const RmsNormParameters& parameters,
                    Threads threads) {
  ANYBIT_CHECK(num_tokens >= 0 && num_heads > 0 && head_dim > 0);
  ANYBIT_CHECK(token_stride >= num_heads * head_dim);
  RmsNormRow* const function = best_variant(rms_norm_variants(), CpuFeatures::host());
  parallel_for(threads, num_tokens, std::max<int64_t>(1, kGrain / (num_heads * head_dim)),
               [&](int64_t begin, int64_t end) {
                 for (int64_t token = begin; token < end; ++token) {
                   for (int64_t head = 0; head < num_heads; ++head) {
                     float* row = x + token * token_stride + head * head_dim;
                     function(row, weight, head_dim, parameters, row);
                   }
                 }
               });
}

}  // namespace anybit::kernel
