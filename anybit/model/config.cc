#include "anybit/model/config.h"

#include <cmath>

namespace anybit::model {
namespace {

/// An extent and the bounds that sane models stay inside.
struct ExtentRule {
  std::string_view name;
  int64_t ModelConfig::*extent;
  int64_t most;
};

// The bounds keep products of any three extents inside int64_t.
constexpr ExtentRule kExtentRules[] = {
    {"hidden_size", &ModelConfig::hidden_size, int64_t{1} << 20},
    {"intermediate_size", &ModelConfig::intermediate_size, int64_t{1} << 20},
    {"num_layers", &ModelConfig::num_layers, int64_t{1} << 12},
    {"num_q_heads", &ModelConfig::num_q_heads, int64_t{1} << 12},
    {"num_kv_heads", &ModelConfig::num_kv_heads, int64_t{1} << 12},
    {"head_dim", &ModelConfig::head_dim, int64_t{1} << 12},
    {"vocab_size", &ModelConfig::vocab_size, int64_t{1} << 24},
    {"max_positions", &ModelConfig::max_positions, int64_t{1} << 30},
};
constexpr int64_t kMostExperts = 1 << 12;

Status check_extents(const ModelConfig& config, std::string_view source) {
  for (const ExtentRule& rule : kExtentRules) {
    const int64_t found = config.*rule.extent;
    if (found < 1 || found > rule.most) {
      return fail(ErrorCode::kCorruptData, "{}: {} must be from 1 to {}, found {}", source,
                  rule.name, rule.most, found);
    }
  }
  if (config.num_q_heads % config.num_kv_heads != 0) {
    return fail(ErrorCode::kCorruptData, "{}: num_kv_heads {} does not divide num_q_heads {}",
                source, config.num_kv_heads, config.num_q_heads);
  }
  if (config.num_experts < 0 || config.num_experts > kMostExperts) {
    return fail(ErrorCode::kCorruptData, "{}: num_experts must be from 0 to {}, found {}", source,
                kMostExperts, config.num_experts);
  }
  if (config.is_moe() &&
      (config.num_experts_per_token < 1 || config.num_experts_per_token > config.num_experts)) {
    return fail(ErrorCode::kCorruptData,
                "{}: num_experts_per_token must be from 1 to num_experts {}, found {}", source,
                config.num_experts, config.num_experts_per_token);
  }
  return {};
}

Status check_constants(const ModelConfig& config, std::string_view source) {
  const struct {
    std::string_view name;
    float value;
    bool may_be_zero;
  } constants[] = {
      {"norm_eps", config.norm_eps, true},
      {"attention_scale", config.attention_scale, false},
      {"attention_soft_cap", config.attention_soft_cap, true},
      {"final_soft_cap", config.final_soft_cap, true},
      {"embedding_scale", config.embedding_scale, false},
  };
  for (const auto& constant : constants) {
    const bool is_positive = constant.value > 0 || (constant.may_be_zero && constant.value == 0);
    if (!std::isfinite(constant.value) || !is_positive) {
      return fail(ErrorCode::kCorruptData, "{}: {} must be {} and finite, found {}", source,
                  constant.name, constant.may_be_zero ? "non-negative" : "positive",
                  constant.value);
    }
  }
  return {};
}

Status check_rope(const kernel::RopeParameters& rope, const ModelConfig& config,
                  std::string_view source) {
  if (rope.rotary_dim > config.head_dim) {
    return fail(ErrorCode::kCorruptData, "{}: rotary dimension {} exceeds head_dim {}", source,
                rope.rotary_dim, config.head_dim);
  }
  auto frequencies = kernel::rope_frequencies(rope, config.max_positions);
  if (!frequencies) {
    return fail(ErrorCode::kCorruptData, "{}: {}", source, frequencies.error().message);
  }
  return {};
}

}  // namespace

int64_t ModelConfig::num_parameters() const {
  const int64_t attention =
      hidden_size * (2 * q_size() + 2 * kv_size()) + (has_qkv_bias ? q_size() + 2 * kv_size() : 0) +
      (has_attention_output_bias ? hidden_size : 0) + (has_qk_norm ? 2 * head_dim : 0);
  const int64_t one_mlp = 3 * hidden_size * intermediate_size +
                          (has_mlp_bias ? 2 * intermediate_size + hidden_size : 0);
  const int64_t mlp = is_moe() ? num_experts * (one_mlp + hidden_size) : one_mlp;
  const int64_t norms = (has_post_norms ? 4 : 2) * hidden_size;
  const int64_t embeddings = (has_tied_embeddings ? 1 : 2) * vocab_size * hidden_size;
  return num_layers * (attention + mlp + norms) + embeddings + hidden_size;
}

Status validate(const ModelConfig& config, std::string_view source) {
  ANYBIT_TRY(check_extents(config, source));
  ANYBIT_TRY(check_constants(config, source));
  if (static_cast<int64_t>(config.is_sliding_layer.size()) != config.num_layers) {
    return fail(ErrorCode::kCorruptData, "{}: layer types are given for {} layers, expected {}",
                source, config.is_sliding_layer.size(), config.num_layers);
  }
  bool has_sliding_layer = false;
  for (const bool is_sliding : config.is_sliding_layer) has_sliding_layer |= is_sliding;
  if (has_sliding_layer && config.sliding_window < 1) {
    return fail(ErrorCode::kCorruptData,
                "{}: sliding_window must be positive where layers slide, found {}", source,
                config.sliding_window);
  }
  ANYBIT_TRY(check_rope(config.rope, config, source));
  if (has_sliding_layer) ANYBIT_TRY(check_rope(config.sliding_rope, config, source));
  for (const int32_t id : config.eos_ids) {
    if (id < 0) {
      return fail(ErrorCode::kCorruptData, "{}: eos_token_id must be non-negative, found {}",
                  source, id);
    }
  }
  return {};
}

}  // namespace anybit::model
