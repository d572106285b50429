#include "anybit/kernel/attention/attention.h"

#include "anybit/base/check.h"
#include "anybit/kernel/attention/internal/attention_tile.h"

namespace anybit::kernel {
namespace {

template <const internal::AttentionTile& Tile>
void attention_with(const AttentionQueries& queries, const KvLayer& kv,
                    const AttentionParameters& parameters, float* out, Threads threads) {
  internal::attention_blocked(Tile, queries, kv, parameters, out, threads);
}

constexpr Variant<AttentionFunction> kVariants[] = {
    {"avx512", needs_avx512, attention_with<internal::kAttentionTileAvx512>},
    {"avx2", needs_avx2, attention_with<internal::kAttentionTileAvx2>},
    {"reference", needs_nothing, internal::attention_reference},
};

}  // namespace

std::span<const Variant<AttentionFunction>> attention_variants() { return kVariants; }

void attention(const AttentionQueries& queries, const KvLayer& kv,
               const AttentionParameters& parameters, float* out, Threads threads) {
  const int64_t num_kv_heads = kv.shape().num_kv_heads;
  ANYBIT_CHECK(queries.num_tokens >= 0 && queries.num_tokens <= kv.length());
  ANYBIT_CHECK(parameters.num_q_heads > 0 && parameters.num_q_heads % num_kv_heads == 0);
  ANYBIT_CHECK(queries.token_stride >= parameters.num_q_heads * kv.shape().head_dim);
  ANYBIT_CHECK(parameters.window >= 0 && parameters.soft_cap >= 0);
  best_variant(attention_variants(), CpuFeatures::host())(queries, kv, parameters, out, threads);
}

}  // namespace anybit::kernel
