// One pass of a chunk of tokens through the layers.
#include <algorithm>
#include <mutex>

#include "anybit/base/check.h"
#include "anybit/kernel/attention/attention.h"
#include "anybit/kernel/norm/rms_norm.h"
#include "anybit/kernel/softmax/softmax.h"
#include "anybit/model/forward/internal/parts.h"

namespace anybit::model::internal {
namespace {

constexpr int64_t kElementGrain = 1 << 14;  // Floats that are worth a thread.

kernel::RmsNormParameters norm_parameters(const ModelConfig& config) {
  return {.eps = config.norm_eps, .adds_one_to_weight = config.norm_adds_one};
}

void add_to(float* x, const float* y, int64_t count, Threads threads) {
  parallel_for(threads, count, kElementGrain, [=](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) x[i] += y[i];
  });
}

/// scratch.x = the tokens' embedding rows, scaled.
Status embed(const ModelParts& model, std::span<const int32_t> tokens, Scratch& scratch) {
  const int64_t hidden = model.config.hidden_size;
  const auto num_tokens = static_cast<int64_t>(tokens.size());
  float* x = room(scratch.x, num_tokens * hidden);
  Status status;
  std::mutex mutex;
  parallel_for(model.options.threads, num_tokens, 8, [&](int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; ++t) {
      const std::span<float> row(x + t * hidden, static_cast<size_t>(hidden));
      Status row_status = tensor::dequantize_rows(model.embedding, tokens[t], 1, row);
      if (!row_status) {
        const std::lock_guard lock(mutex);
        status = std::move(row_status);
        return;
      }
      if (model.config.embedding_scale == 1) continue;
      for (float& value : row) value *= model.config.embedding_scale;
    }
  });
  return status;
}

/// One layer of one chunk.
class LayerPass {
 public:
  LayerPass(const ModelParts& model, StateParts& state, int64_t index, int64_t num_tokens)
      : config_(model.config),
        layer_(model.layers[static_cast<size_t>(index)]),
        kv_(state.cache.layer(index)),
        scratch_(state.scratch),
        threads_(model.options.threads),
        window_(config_.window(index)),
        num_tokens_(num_tokens) {}

  /// Stores keys and values of all tokens; then moves x on for tokens [first_wanted, num_tokens),
  /// which become its first rows.
  Status run(const kernel::RopeAngles& angles, int64_t first_wanted) {
    float* qkv = project(angles);
    const StridedRows key = layer_.qkv.part(1, num_tokens_, qkv);
    const StridedRows value = layer_.qkv.part(2, num_tokens_, qkv);
    ANYBIT_TRY(kv_.append(key.values, value.values, num_tokens_, key.row_stride));
    const int64_t num_wanted = num_tokens_ - first_wanted;
    if (num_wanted == 0) return {};
    if (first_wanted > 0) {
      const int64_t hidden = config_.hidden_size;
      std::copy_n(scratch_.x.begin() + first_wanted * hidden, num_wanted * hidden,
                  scratch_.x.begin());
    }
    StridedRows query = layer_.qkv.part(0, num_tokens_, qkv);
    query.values += first_wanted * query.row_stride;
    attend(query, num_wanted);
    feed_forward(num_wanted);
    return {};
  }

 private:
  /// Queries, keys and values of the normed x, turned.
  float* project(const kernel::RopeAngles& angles) {
    const int64_t hidden = config_.hidden_size, head_dim = config_.head_dim;
    const auto norm = norm_parameters(config_);
    float* normed = room(scratch_.normed, num_tokens_ * hidden);
    kernel::rms_norm(scratch_.x.data(), layer_.attention_norm.data(), num_tokens_, hidden, norm,
                     normed, threads_);
    float* qkv = room(scratch_.qkv, num_tokens_ * layer_.qkv.total_rows());
    layer_.qkv.run(normed, num_tokens_, qkv, threads_);
    const struct {
      StridedRows rows;
      int64_t num_heads;
      const std::vector<float>& norm_weight;
    } turned[] = {
        {layer_.qkv.part(0, num_tokens_, qkv), config_.num_q_heads, layer_.query_norm},
        {layer_.qkv.part(1, num_tokens_, qkv), config_.num_kv_heads, layer_.key_norm},
    };
    for (const auto& [rows, num_heads, norm_weight] : turned) {
      if (!norm_weight.empty()) {
        kernel::rms_norm_heads(rows.values, norm_weight.data(), num_tokens_, num_heads, head_dim,
                               rows.row_stride, norm, threads_);
      }
      kernel::apply_rope(angles, rows.values, num_heads, head_dim, rows.row_stride, threads_);
    }
    return qkv;
  }

  void attend(const StridedRows& query, int64_t num_wanted) {
    float* attended = room(scratch_.attended, num_wanted * config_.q_size());
    const kernel::AttentionParameters parameters = {
        .num_q_heads = config_.num_q_heads,
        .scale = config_.attention_scale,
        .soft_cap = config_.attention_soft_cap,
        .window = window_,
    };
    kernel::attention({query.values, query.row_stride, num_wanted}, kv_, parameters, attended,
                      threads_);
    float* added = room(scratch_.added, num_wanted * config_.hidden_size);
    layer_.output.run(attended, num_wanted, added, threads_);
    add_normed(layer_.post_attention_norm, num_wanted);
  }

  void feed_forward(int64_t num_wanted) {
    const int64_t hidden = config_.hidden_size;
    float* normed = room(scratch_.normed, num_wanted * hidden);
    kernel::rms_norm(scratch_.x.data(), layer_.mlp_norm.data(), num_wanted, hidden,
                     norm_parameters(config_), normed, threads_);
    float* added = room(scratch_.added, num_wanted * hidden);
    if (config_.is_moe()) {
      run_experts(layer_, config_, normed, num_wanted, added, scratch_, threads_);
    } else {
      run_mlp(layer_.experts.front(), config_.activation, config_.intermediate_size, normed,
              num_wanted, added, scratch_, threads_);
    }
    add_normed(layer_.post_mlp_norm, num_wanted);
  }

  /// x += norm(added), or x += added without a norm.
  void add_normed(const std::vector<float>& norm_weight, int64_t num_rows) {
    const int64_t hidden = config_.hidden_size;
    float* added = scratch_.added.data();
    if (!norm_weight.empty()) {
      kernel::rms_norm(added, norm_weight.data(), num_rows, hidden, norm_parameters(config_), added,
                       threads_);
    }
    add_to(scratch_.x.data(), added, num_rows * hidden, threads_);
  }

  const ModelConfig& config_;
  const PackedLayer& layer_;
  kernel::KvLayer& kv_;
  Scratch& scratch_;
  Threads threads_;
  int64_t window_;
  int64_t num_tokens_;
};

}  // namespace

float* room(std::vector<float>& memory, int64_t count) {
  if (static_cast<int64_t>(memory.size()) < count) memory.resize(static_cast<size_t>(count));
  return memory.data();
}

Status run_layers(const ModelParts& model, StateParts& state, std::span<const int32_t> tokens,
                  int64_t first_wanted) {
  const auto num_tokens = static_cast<int64_t>(tokens.size());
  const int64_t position = state.cache.length();
  ANYBIT_TRY(embed(model, tokens, state.scratch));
  const auto angles = kernel::rope_angles(state.rope, position, num_tokens);
  const bool has_sliding = std::ranges::count(model.config.is_sliding_layer, true) > 0;
  const auto sliding_angles = has_sliding
                                  ? kernel::rope_angles(state.sliding_rope, position, num_tokens)
                                  : kernel::RopeAngles();
  const int64_t num_layers = model.config.num_layers;
  for (int64_t index = 0; index < num_layers; ++index) {
    const bool is_last = index + 1 == num_layers;
    LayerPass pass(model, state, index, num_tokens);
    ANYBIT_TRY(pass.run(model.config.is_sliding_layer[index] ? sliding_angles : angles,
                        is_last ? first_wanted : 0));
  }
  const int64_t num_wanted = num_tokens - first_wanted;
  if (num_wanted == 0) return {};
  float* normed = room(state.scratch.normed, num_wanted * model.config.hidden_size);
  kernel::rms_norm(state.scratch.x.data(), model.output_norm.data(), num_wanted,
                   model.config.hidden_size, norm_parameters(model.config), normed,
                   model.options.threads);
  return {};
}

void run_mlp(const PackedMlp& mlp, kernel::Activation activation, int64_t intermediate_size,
             const float* x, int64_t num_tokens, float* out, Scratch& scratch, Threads threads) {
  float* gate_up = room(scratch.gate_up, num_tokens * mlp.gate_up.total_rows());
  mlp.gate_up.run(x, num_tokens, gate_up, threads);
  const StridedRows gate = mlp.gate_up.part(0, num_tokens, gate_up);
  const StridedRows up = mlp.gate_up.part(1, num_tokens, gate_up);
  float* gated = room(scratch.gated, num_tokens * intermediate_size);
  kernel::gated_activation(activation, gate.values, up.values, num_tokens, intermediate_size,
                           gate.row_stride, gated, threads);
  mlp.down.run(gated, num_tokens, out, threads);
}

std::span<const float> compute_logits(const ModelParts& model, StateParts& state, int64_t first_row,
                                      int64_t num_rows) {
  const ModelConfig& config = model.config;
  const int64_t count = num_rows * config.vocab_size;
  float* logits = room(state.scratch.logits, count);
  model.output.run(state.scratch.normed.data() + first_row * config.hidden_size, num_rows, logits,
                   model.options.threads);
  if (config.final_soft_cap > 0) {
    kernel::apply_soft_cap(logits, count, config.final_soft_cap, model.options.threads);
  }
  return {logits, static_cast<size_t>(count)};
}

}  // namespace anybit::model::internal
