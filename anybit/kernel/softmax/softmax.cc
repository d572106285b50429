#include "anybit/kernel/softmax/softmax.h"

#include <algorithm>

#include "anybit/base/check.h"
#include "anybit/kernel/softmax/internal/softmax_functions.h"

namespace anybit::kernel {
namespace {

constexpr Variant<const SoftmaxFunctions> kVariants[] = {
    {"avx512", needs_avx512, &internal::kSoftmaxAvx512},
    {"avx2", needs_avx2, &internal::kSoftmaxAvx2},
    {"reference", needs_nothing, &internal::kSoftmaxReference},
};

constexpr int64_t kGrain = 8192;  // Elements worth a thread: about 4 microseconds.

const SoftmaxFunctions& host_functions() {
  return *best_variant(softmax_variants(), CpuFeatures::host());
}

}  // namespace

std::span<const Variant<const SoftmaxFunctions>> softmax_variants() { return kVariants; }

void softmax(const float* x, int64_t num_rows, int64_t row_size, const LogitTransform& transform,
             float* out, Threads threads) {
  ANYBIT_CHECK(num_rows >= 0 && row_size > 0);
  const SoftmaxFunctions& functions = host_functions();
  parallel_for(threads, num_rows, std::max<int64_t>(1, kGrain / row_size),
               [&](int64_t begin, int64_t end) {
                 for (int64_t row = begin; row < end; ++row) {
                   functions.softmax(x + row * row_size, row_size, transform, out + row * row_size);
                 }
               });
}

void apply_soft_cap(float* x, int64_t count, float soft_cap, Threads threads) {
  ANYBIT_CHECK(count >= 0 && soft_cap > 0);
  const SoftmaxFunctions& functions = host_functions();
  parallel_for(threads, count, kGrain, [&](int64_t begin, int64_t end) {
    functions.soft_cap(x + begin, end - begin, soft_cap, x + begin);
  });
}

double log_sum_exp(const float* logits, int64_t vocab_size) {
  ANYBIT_CHECK(vocab_size > 0);
  return host_functions().log_sum_exp(logits, vocab_size);
}

double negative_log_likelihood(const float* logits, int64_t vocab_size, int64_t target) {
  ANYBIT_CHECK(target >= 0 && target < vocab_size);
  return log_sum_exp(logits, vocab_size) - logits[target];
}

void log_softmax(const float* logits, int64_t vocab_size, float* out) {
  const double normalizer = log_sum_exp(logits, vocab_size);
  for (int64_t i = 0; i < vocab_size; ++i) out[i] = static_cast<float>(logits[i] - normalizer);
}

}  // namespace anybit::kernel
