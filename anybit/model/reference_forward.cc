#include "anybit/model/reference_forward.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "anybit/kernel/rope/rope.h"

namespace anybit::model {
namespace {

/// [num_rows, row_size], row-major.
struct Rows {
  int64_t num_rows = 0;
  int64_t row_size = 0;
  std::vector<double> values;

  Rows(int64_t rows, int64_t size)
      : num_rows(rows), row_size(size), values(static_cast<size_t>(rows * size)) {}
  double* row(int64_t index) { return values.data() + index * row_size; }
  const double* row(int64_t index) const { return values.data() + index * row_size; }
};

/// out[t, o] = sum_i x[t, i] * weight[o, i] + bias[o].
Result<Rows> linear(const Rows& x, const tensor::QuantizedTensor& weight,
                    const std::vector<float>& bias) {
  ANYBIT_ASSIGN(const std::vector<float> dense, tensor::dequantize(weight));
  Rows out(x.num_rows, weight.rows);
  for (int64_t o = 0; o < weight.rows; ++o) {
    const float* row = dense.data() + o * weight.cols;
    for (int64_t t = 0; t < x.num_rows; ++t) {
      const double* input = x.row(t);
      double sum = 0;
      for (int64_t i = 0; i < weight.cols; ++i) sum += input[i] * static_cast<double>(row[i]);
      out.row(t)[o] = sum + (bias.empty() ? 0.0 : static_cast<double>(bias[o]));
    }
  }
  return out;
}

void normalize(double* x, int64_t size, const std::vector<float>& weight,
               const ModelConfig& config) {
  double sum = 0;
  for (int64_t i = 0; i < size; ++i) sum += x[i] * x[i];
  const double inv_rms =
      1 / std::sqrt(sum / static_cast<double>(size) + static_cast<double>(config.norm_eps));
  for (int64_t i = 0; i < size; ++i) {
    x[i] *= inv_rms * (static_cast<double>(weight[i]) + (config.norm_adds_one ? 1 : 0));
  }
}

Rows rms_norm(Rows x, const std::vector<float>& weight, const ModelConfig& config) {
  for (int64_t t = 0; t < x.num_rows; ++t) normalize(x.row(t), x.row_size, weight, config);
  return x;
}

void add(Rows& x, const Rows& y) {
  for (size_t i = 0; i < x.values.size(); ++i) x.values[i] += y.values[i];
}

/// Turns pair i of every head of token t by t * frequency i.
void rotate(Rows& x, int64_t head_dim, const kernel::RopeFrequencies& frequencies) {
  const auto num_pairs = static_cast<int64_t>(frequencies.radians_per_position.size());
  const bool is_interleaved = frequencies.pairing == kernel::RopePairing::kInterleaved;
  for (int64_t t = 0; t < x.num_rows; ++t) {
    for (int64_t head = 0; head < x.row_size / head_dim; ++head) {
      double* elements = x.row(t) + head * head_dim;
      for (int64_t i = 0; i < num_pairs; ++i) {
        double& a = elements[is_interleaved ? 2 * i : i];
        double& b = elements[is_interleaved ? 2 * i + 1 : i + num_pairs];
        const double angle = static_cast<double>(t) * frequencies.radians_per_position[i];
        const double cosine = std::cos(angle) * frequencies.attention_factor;
        const double sine = std::sin(angle) * frequencies.attention_factor;
        const double turned = a * cosine - b * sine;
        b = b * cosine + a * sine;
        a = turned;
      }
    }
  }
}

void softmax(std::span<double> x) {
  const double largest = *std::ranges::max_element(x);
  double sum = 0;
  for (double& value : x) sum += value = std::exp(value - largest);
  for (double& value : x) value /= sum;
}

double soft_capped(double x, double cap) { return cap > 0 ? cap * std::tanh(x / cap) : x; }

double dot(const double* a, const double* b, int64_t size) {
  return std::inner_product(a, a + size, b, 0.0);
}

/// Causal attention, keys seen back to `window` tokens (0: all).
Rows attend(const Rows& q, const Rows& k, const Rows& v, const ModelConfig& config,
            int64_t window) {
  Rows out(q.num_rows, q.row_size);
  const int64_t head_dim = config.head_dim;
  for (int64_t t = 0; t < q.num_rows; ++t) {
    const int64_t oldest = window > 0 ? std::max<int64_t>(0, t - window + 1) : 0;
    for (int64_t head = 0; head < config.num_q_heads; ++head) {
      const int64_t kv_offset = head / (config.num_q_heads / config.num_kv_heads) * head_dim;
      std::vector<double> scores;
      for (int64_t s = oldest; s <= t; ++s) {
        const double score = dot(q.row(t) + head * head_dim, k.row(s) + kv_offset, head_dim) *
                             static_cast<double>(config.attention_scale);
        scores.push_back(soft_capped(score, static_cast<double>(config.attention_soft_cap)));
      }
      softmax(scores);
      for (int64_t s = oldest; s <= t; ++s) {
        for (int64_t i = 0; i < head_dim; ++i) {
          out.row(t)[head * head_dim + i] += scores[s - oldest] * v.row(s)[kv_offset + i];
        }
      }
    }
  }
  return out;
}

double activate(kernel::Activation activation, double x) {
  switch (activation) {
    case kernel::Activation::kSilu: return x / (1 + std::exp(-x));
    case kernel::Activation::kGeluTanh:
      return 0.5 * x * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
    case kernel::Activation::kGelu: return 0.5 * x * (1 + std::erf(x / M_SQRT2));
    case kernel::Activation::kRelu: return std::max(x, 0.0);
  }
  return x;
}

Result<Rows> feed_forward(const Rows& x, const MlpWeights& mlp, const ModelConfig& config) {
  ANYBIT_ASSIGN(Rows gate, linear(x, mlp.gate, mlp.gate_bias));
  ANYBIT_ASSIGN(const Rows up, linear(x, mlp.up, mlp.up_bias));
  for (size_t i = 0; i < gate.values.size(); ++i) {
    gate.values[i] = activate(config.activation, gate.values[i]) * up.values[i];
  }
  return linear(gate, mlp.down, mlp.down_bias);
}

/// Each token: the experts with the largest router logits, weighted by a softmax over those.
Result<Rows> mix_experts(const Rows& x, const LayerWeights& layer, const ModelConfig& config) {
  ANYBIT_ASSIGN(const Rows router, linear(x, layer.router, {}));
  std::vector<Rows> outputs;
  for (const MlpWeights& expert : layer.experts) {
    ANYBIT_ASSIGN(Rows output, feed_forward(x, expert, config));
    outputs.push_back(std::move(output));
  }
  Rows out(x.num_rows, x.row_size);
  for (int64_t t = 0; t < x.num_rows; ++t) {
    std::vector<int64_t> order(static_cast<size_t>(config.num_experts));
    std::iota(order.begin(), order.end(), 0);
    std::ranges::stable_sort(
        order, [&](int64_t a, int64_t b) { return router.row(t)[a] > router.row(t)[b]; });
    order.resize(static_cast<size_t>(config.num_experts_per_token));
    std::vector<double> weights;
    for (const int64_t expert : order) weights.push_back(router.row(t)[expert]);
    softmax(weights);
    for (size_t chosen = 0; chosen < order.size(); ++chosen) {
      const double* expert_out = outputs[static_cast<size_t>(order[chosen])].row(t);
      for (int64_t i = 0; i < x.row_size; ++i) out.row(t)[i] += weights[chosen] * expert_out[i];
    }
  }
  return out;
}

void normalize_heads(Rows& x, const std::vector<float>& weight, const ModelConfig& config) {
  if (weight.empty()) return;
  for (int64_t start = 0; start < static_cast<int64_t>(x.values.size()); start += config.head_dim) {
    normalize(x.values.data() + start, config.head_dim, weight, config);
  }
}

Status run_layer(const LayerWeights& layer, const ModelConfig& config, int64_t window,
                 const kernel::RopeFrequencies& frequencies, Rows& x) {
  const Rows normed = rms_norm(x, layer.attention_norm, config);
  ANYBIT_ASSIGN(Rows q, linear(normed, layer.query, layer.query_bias));
  ANYBIT_ASSIGN(Rows k, linear(normed, layer.key, layer.key_bias));
  ANYBIT_ASSIGN(const Rows v, linear(normed, layer.value, layer.value_bias));
  normalize_heads(q, layer.query_norm, config);
  normalize_heads(k, layer.key_norm, config);
  rotate(q, config.head_dim, frequencies);
  rotate(k, config.head_dim, frequencies);
  ANYBIT_ASSIGN(Rows attended,
                linear(attend(q, k, v, config, window), layer.output, layer.output_bias));
  if (config.has_post_norms) {
    attended = rms_norm(std::move(attended), layer.post_attention_norm, config);
  }
  add(x, attended);

  const Rows mlp_input = rms_norm(x, layer.mlp_norm, config);
  auto mixed = config.is_moe() ? mix_experts(mlp_input, layer, config)
                               : feed_forward(mlp_input, layer.experts.front(), config);
  if (!mixed) return tl::make_unexpected(std::move(mixed).error());
  if (config.has_post_norms) *mixed = rms_norm(std::move(*mixed), layer.post_mlp_norm, config);
  add(x, *mixed);
  return {};
}

Result<Rows> embed(const OuterWeights& outer, std::span<const int32_t> tokens,
                   const ModelConfig& config) {
  Rows x(static_cast<int64_t>(tokens.size()), config.hidden_size);
  std::vector<float> row(static_cast<size_t>(config.hidden_size));
  for (size_t t = 0; t < tokens.size(); ++t) {
    if (tokens[t] < 0 || tokens[t] >= config.vocab_size) {
      return fail(ErrorCode::kInvalidArgument, "token id {} is outside the vocabulary of {}",
                  tokens[t], config.vocab_size);
    }
    ANYBIT_TRY(tensor::dequantize_rows(outer.embedding, tokens[t], 1, row));
    for (size_t i = 0; i < row.size(); ++i) {
      x.row(static_cast<int64_t>(t))[i] =
          static_cast<double>(row[i]) * static_cast<double>(config.embedding_scale);
    }
  }
  return x;
}

}  // namespace

Result<std::vector<double>> reference_forward(const WeightSource& source,
                                              std::span<const int32_t> tokens, int64_t first) {
  const ModelConfig& config = source.config();
  const auto num_tokens = static_cast<int64_t>(tokens.size());
  if (num_tokens == 0 || first < 0 || first >= num_tokens) {
    return fail(ErrorCode::kInvalidArgument, "logits from token {} of {} tokens were asked for",
                first, num_tokens);
  }
  ANYBIT_ASSIGN(const OuterWeights outer, read_outer(source));
  kernel::RopeParameters rope = config.rope;
  rope.frequency_divisors = outer.rope_divisors;
  ANYBIT_ASSIGN(const auto global, kernel::rope_frequencies(rope, num_tokens));
  ANYBIT_ASSIGN(const auto sliding, kernel::rope_frequencies(config.sliding_rope, num_tokens));
  ANYBIT_ASSIGN(Rows x, embed(outer, tokens, config));
  for (int64_t index = 0; index < config.num_layers; ++index) {
    ANYBIT_ASSIGN(const LayerWeights layer, read_layer(source, index));
    const int64_t window = config.window(index);
    ANYBIT_TRY(run_layer(layer, config, window, window > 0 ? sliding : global, x));
  }
  x.values.erase(x.values.begin(), x.values.begin() + first * x.row_size);
  x.num_rows -= first;
  const Rows normed = rms_norm(std::move(x), outer.output_norm, config);
  ANYBIT_ASSIGN(Rows logits,
                linear(normed, config.has_tied_embeddings ? outer.embedding : outer.output, {}));
  for (double& logit : logits.values) {
    logit = soft_capped(logit, static_cast<double>(config.final_soft_cap));
  }
  return std::move(logits.values);
}

}  // namespace anybit::model
