#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "anybit/kernel/attention/internal/attention_tile.h"

namespace anybit::kernel::internal {

void attention_reference(const AttentionQueries& queries, const KvLayer& kv,
                         const AttentionParameters& p, float* out, Threads /*threads*/) {
  const int64_t head_dim = kv.shape().head_dim;
  const int64_t group_size = p.num_q_heads / kv.shape().num_kv_heads;
  std::vector<float> row(head_dim);
  for (int64_t token = 0; token < queries.num_tokens; ++token) {
    const int64_t position = kv.length() - queries.num_tokens + token;
    const int64_t first = first_visible(position, p.window);
    for (int64_t head = 0; head < p.num_q_heads; ++head) {
      const float* q = queries.q + token * queries.token_stride + head * head_dim;
      std::vector<double> weights(position + 1 - first);
      double largest = -std::numeric_limits<double>::infinity();
      for (int64_t key = first; key <= position; ++key) {
        kv.decode_key(head / group_size, key, row);
        double score = 0;
        for (int64_t d = 0; d < head_dim; ++d) score += double{q[d]} * row[d];
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
        kv.decode_value(head / group_size, key, row);
        for (int64_t d = 0; d < head_dim; ++d) result[d] += weights[key - first] / sum * row[d];
      }
      for (int64_t d = 0; d < head_dim; ++d) {
        out[(token * p.num_q_heads + head) * head_dim + d] = static_cast<float>(result[d]);
      }
    }
  }
}

}  // namespace anybit::kernel::internal
