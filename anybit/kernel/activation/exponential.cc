#include "anybit/kernel/activation/exponential.h"

#include "anybit/kernel/activation/internal/activation_functions.h"

namespace anybit::kernel {
namespace {

constexpr Variant<ExponentialFunction> kVariants[] = {
    {"avx512", needs_avx512, internal::exponential_avx512},
    {"avx2", needs_avx2, internal::exponential_avx2},
    {"reference", needs_nothing, internal::exponential_reference},
};

}  // namespace

std::span<const Variant<ExponentialFunction>> exponential_variants() { return kVariants; }

void exponential(const float* x, int64_t count, float* out) {
  best_variant(exponential_variants(), CpuFeatures::host())(x, count, out);
}

}  // namespace anybit::kernel
