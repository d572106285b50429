#include <algorithm>
#include <cmath>
#include <limits>
#include <span>
#include <vector>

#include "anybit/kernel/attention/internal/attention_tile.h"

namespace anybit::kernel::internal {

namespace {

/// The stored rows of one head, [length, head_dim].
std::vector<float> decoded(const KvPlane& plane, const KvLayer& kv, int64_t head) {
  std::vector<float> rows(kv.length() * kv.shape().head_dim);
  decode_rows_reference(rows_of(plane, kv.shape(), head, 0), kv.length(), kv.shape().head_dim,
                        rows.data());
  return rows;
}

/// One query head of the token at `position`: out[head_dim].
void attend_one(const float* q, int64_t position, int64_t head_dim, std::span<const float> keys,
                std::span<const float> values, const AttentionParameters& p, float* out) {
  const int64_t first = first_visible(position, p.window);
  std::vector<double> weights(position + 1 - first);
  double largest = -std::numeric_limits<double>::infinity();
  for (int64_t key = first; key <= position; ++key) {
    double score = 0;
    for (int64_t d = 0; d < head_dim; ++d) score += double{q[d]} * keys[key * head_dim + d];
    score *= p.scale;
    if (p.soft_cap > 0) score = p.soft_cap * std::tanh(score / p.soft_cap);
    weights[key - first] = score;
    largest = std::max(largest, score);
  }
  double sum = 0;
  for (double& weight : weights) {
    weight = std::exp(weight - largest);
    sum += weight;
  }
  std::vector<double> result(head_dim);
  for (int64_t key = first; key <= position; ++key) {
    const double weight = weights[key - first] / sum;
    for (int64_t d = 0; d < head_dim; ++d) result[d] += weight * values[key * head_dim + d];
  }
  for (int64_t d = 0; d < head_dim; ++d) out[d] = static_cast<float>(result[d]);
}

}  // namespace

void attention_reference(const AttentionQueries& queries, const KvLayer& kv,
                         const AttentionParameters& p, float* out, Threads /*threads*/) {
  const int64_t head_dim = kv.shape().head_dim;
  const int64_t group_size = p.num_q_heads / kv.shape().num_kv_heads;
  for (int64_t kv_head = 0; kv_head < kv.shape().num_kv_heads; ++kv_head) {
    const std::vector<float> keys = decoded(kv.keys(), kv, kv_head);
    const std::vector<float> values = decoded(kv.values(), kv, kv_head);
    for (int64_t token = 0; token < queries.num_tokens; ++token) {
      const int64_t position = kv.length() - queries.num_tokens + token;
      for (int64_t head = kv_head * group_size; head < (kv_head + 1) * group_size; ++head) {
        attend_one(queries.q + token * queries.token_stride + head * head_dim, position, head_dim,
                   keys, values, p, out + (token * p.num_q_heads + head) * head_dim);
      }
    }
  }
}

}  // namespace anybit::kernel::internal
