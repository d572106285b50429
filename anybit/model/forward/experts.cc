// A mixture of experts: tokens are grouped by expert, so that each expert's weights are read once.
#include <algorithm>
#include <cmath>

#include "anybit/model/forward/internal/parts.h"

namespace anybit::model::internal {
namespace {

/// A token that an expert computes, and the weight of its result.
struct Assignment {
  int64_t token;
  float weight;
};

/// The tokens of every expert, in order. Each token goes to the experts with the largest router
/// logits (of equal ones the lower), weighted by a softmax over those.
std::vector<std::vector<Assignment>> assign(const float* router, int64_t num_tokens,
                                            const ModelConfig& config) {
  const int64_t num_experts = config.num_experts;
  std::vector<std::vector<Assignment>> assignments(static_cast<size_t>(num_experts));
  std::vector<int64_t> order(static_cast<size_t>(num_experts));
  for (int64_t t = 0; t < num_tokens; ++t) {
    const float* logits = router + t * num_experts;
    for (int64_t expert = 0; expert < num_experts; ++expert) order[expert] = expert;
    const auto chosen_end = order.begin() + config.num_experts_per_token;
    // NaN sorts last, so that the order stays strict and weak.
    std::partial_sort(order.begin(), chosen_end, order.end(), [&](int64_t a, int64_t b) {
      const float x = std::isnan(logits[a]) ? -INFINITY : logits[a];
      const float y = std::isnan(logits[b]) ? -INFINITY : logits[b];
      return x > y || (x == y && a < b);
    });
    double sum = 0;
    const double largest = static_cast<double>(logits[order[0]]);
    for (auto chosen = order.begin(); chosen != chosen_end; ++chosen) {
      sum += std::exp(static_cast<double>(logits[*chosen]) - largest);
    }
    for (auto chosen = order.begin(); chosen != chosen_end; ++chosen) {
      const double weight = std::exp(static_cast<double>(logits[*chosen]) - largest) / sum;
      assignments[static_cast<size_t>(*chosen)].push_back({t, static_cast<float>(weight)});
    }
  }
  return assignments;
}

}  // namespace

void run_experts(const PackedLayer& layer, const ModelConfig& config, const float* x,
                 int64_t num_tokens, float* out, Scratch& scratch, Threads threads) {
  const int64_t hidden = config.hidden_size;
  float* router = room(scratch.router, num_tokens * config.num_experts);
  layer.router.run(x, num_tokens, router, threads);
  const auto assignments = assign(router, num_tokens, config);
  std::fill_n(out, num_tokens * hidden, 0.0f);
  for (size_t expert = 0; expert < assignments.size(); ++expert) {
    const std::vector<Assignment>& tokens = assignments[expert];
    if (tokens.empty()) continue;
    const auto count = static_cast<int64_t>(tokens.size());
    float* gathered = room(scratch.gathered, count * hidden);
    for (int64_t i = 0; i < count; ++i) {
      std::copy_n(x + tokens[i].token * hidden, hidden, gathered + i * hidden);
    }
    float* result = room(scratch.expert, count * hidden);
    run_mlp(layer.experts[expert], config.activation, config.intermediate_size, gathered, count,
            result, scratch, threads);
    for (int64_t i = 0; i < count; ++i) {
      float* sum = out + tokens[i].token * hidden;
      for (int64_t j = 0; j < hidden; ++j) sum[j] += tokens[i].weight * result[i * hidden + j];
    }
  }
}

}  // namespace anybit::model::internal
