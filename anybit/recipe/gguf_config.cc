#include "anybit/recipe/gguf_config.h"

#include <algorithm>
#include <cmath>

#include "anybit/model/architecture/architecture.h"

namespace anybit::recipe {
namespace {

using kernel::RopeFrequencies;
using kernel::RopeParameters;
using kernel::RopeScaling;
using model::ModelConfig;

// Of numbers that the file holds as f32 where config.json has decimals: a few roundings.
constexpr double kFloatTolerance = 1e-6;

// Families that GGUF does not tell from Llama have no name of their own.
std::string architecture_name(const ModelConfig& config) {
  const auto names = model::architecture(config.family).gguf_architectures;
  return std::string(names.empty() ? std::string_view("llama") : names.front());
}

bool is_close(double a, double b) {
  return std::abs(a - b) <= kFloatTolerance * std::max(std::abs(a), std::abs(b));
}

bool is_same(const RopeFrequencies& a, const RopeFrequencies& b) {
  return is_close(a.attention_factor, b.attention_factor) &&
         std::ranges::equal(a.radians_per_position, b.radians_per_position, is_close);
}

tl::unexpected<Error> unsupported(std::string_view source, std::string_view what) {
  return fail(ErrorCode::kUnsupported, "{}: GGUF has no word for {}", source, what);
}

// Whether frequencies depend on the length of the context.
bool is_length_dependent(const RopeParameters& rope) {
  return rope.scaling == RopeScaling::kDynamicNtk ||
         (rope.scaling == RopeScaling::kLongRope && rope.short_factors != rope.long_factors);
}

// What divides the frequencies of the unscaled rope.
Result<std::vector<float>> divisors_of(const RopeParameters& rope, int64_t context_length) {
  RopeParameters plain = rope;
  plain.scaling = RopeScaling::kNone;
  plain.frequency_divisors.clear();
  ANYBIT_ASSIGN(const RopeFrequencies scaled, kernel::rope_frequencies(rope, context_length));
  ANYBIT_ASSIGN(const RopeFrequencies unscaled, kernel::rope_frequencies(plain, context_length));
  std::vector<float> divisors;
  for (size_t i = 0; i < scaled.radians_per_position.size(); ++i) {
    divisors.push_back(
        static_cast<float>(unscaled.radians_per_position[i] / scaled.radians_per_position[i]));
  }
  return divisors;
}

// Sets keys under the architecture's name.
class Keys {
 public:
  Keys(std::string prefix, tensor::GgufMetadata& metadata)
      : prefix_(std::move(prefix)), metadata_(metadata) {}

  void set(std::string_view key, int64_t value) {
    metadata_.set_uint32(prefix_ + std::string(key), static_cast<uint32_t>(value));
  }
  void set_float(std::string_view key, double value) {
    metadata_.set_float32(prefix_ + std::string(key), static_cast<float>(value));
  }
  void set_string(std::string_view key, std::string value) {
    metadata_.set_string(prefix_ + std::string(key), std::move(value));
  }

 private:
  std::string prefix_;
  tensor::GgufMetadata& metadata_;
};

Status set_rope(const ModelConfig& config, std::string_view source, Keys& keys,
                GgufConfig& result) {
  const RopeParameters& rope = config.rope;
  keys.set("rope.dimension_count", rope.rotary_dim);
  keys.set_float("rope.freq_base", rope.theta);
  if (is_length_dependent(rope)) {
    return unsupported(source, fmt::format("rope scaling \"{}\"", kernel::name(rope.scaling)));
  }
  if (rope.scaling == RopeScaling::kLinear || rope.scaling == RopeScaling::kYarn) {
    keys.set_string("rope.scaling.type", std::string(kernel::name(rope.scaling)));
    keys.set_float("rope.scaling.factor", rope.factor);
  }
  if (rope.scaling == RopeScaling::kYarn) {
    keys.set("rope.scaling.original_context_length", rope.original_max_position);
    keys.set_float("rope.scaling.yarn_beta_fast", rope.beta_fast);
    keys.set_float("rope.scaling.yarn_beta_slow", rope.beta_slow);
  }
  if (rope.scaling == RopeScaling::kLlama3 || rope.scaling == RopeScaling::kLongRope ||
      !rope.frequency_divisors.empty()) {
    ANYBIT_ASSIGN(result.rope_divisors, divisors_of(rope, config.max_positions));
  }
  return {};
}

void set_extents(const ModelConfig& config, Keys& keys) {
  keys.set("context_length", config.max_positions);
  keys.set("embedding_length", config.hidden_size);
  keys.set("block_count", config.num_layers);
  keys.set("feed_forward_length", config.intermediate_size);
  keys.set("vocab_size", config.vocab_size);
  keys.set("attention.head_count", config.num_q_heads);
  keys.set("attention.head_count_kv", config.num_kv_heads);
  keys.set("attention.key_length", config.head_dim);
  keys.set("attention.value_length", config.head_dim);
  keys.set_float("attention.layer_norm_rms_epsilon", config.norm_eps);
  if (std::ranges::count(config.is_sliding_layer, true) > 0) {
    keys.set("attention.sliding_window", config.sliding_window);
  }
  if (config.is_moe()) {
    keys.set("expert_count", config.num_experts);
    keys.set("expert_used_count", config.num_experts_per_token);
  }
}

// The first field that a reader of the file would see otherwise; empty if there is none.
std::string first_difference(const ModelConfig& wanted, const ModelConfig& read) {
  const auto field = [](std::string_view name, auto a, auto b) {
    return fmt::format("{} {} in a file of this architecture (it would be read as {})", name, a, b);
  };
  const struct {
    std::string_view name;
    bool ModelConfig::*flag;
  } flags[] = {{"bias of queries, keys and values", &ModelConfig::has_qkv_bias},
               {"bias of the attention output", &ModelConfig::has_attention_output_bias},
               {"norms of queries and keys", &ModelConfig::has_qk_norm},
               {"bias of the feed-forward layer", &ModelConfig::has_mlp_bias},
               {"norms after attention and feed-forward", &ModelConfig::has_post_norms}};
  for (const auto& row : flags) {
    if (wanted.*row.flag != read.*row.flag)
      return field(row.name, wanted.*row.flag, read.*row.flag);
  }
  const struct {
    std::string_view name;
    float ModelConfig::*value;
  } numbers[] = {{"attention scale", &ModelConfig::attention_scale},
                 {"attention soft cap", &ModelConfig::attention_soft_cap},
                 {"norm epsilon", &ModelConfig::norm_eps},
                 {"embedding scale", &ModelConfig::embedding_scale},
                 {"soft cap of the logits", &ModelConfig::final_soft_cap}};
  for (const auto& row : numbers) {
    const double a = wanted.*row.value, b = read.*row.value;
    if (!is_close(a, b)) return field(row.name, a, b);
  }
  if (wanted.activation != read.activation) {
    return field("activation", kernel::name(wanted.activation), kernel::name(read.activation));
  }
  for (int64_t layer = 0; layer < wanted.num_layers; ++layer) {
    const int64_t a = wanted.window(layer), b = read.window(layer);
    if (a != b) return field(fmt::format("sliding window of layer {}", layer), a, b);
  }
  return "";
}

Status check_rope(const ModelConfig& wanted, ModelConfig read, const GgufConfig& file,
                  std::string_view source) {
  read.rope.frequency_divisors.assign(file.rope_divisors.begin(), file.rope_divisors.end());
  const struct {
    std::string_view name;
    const RopeParameters& wanted;
    const RopeParameters& read;
    bool is_used;
  } ropes[] = {
      {"rope", wanted.rope, read.rope, std::ranges::count(wanted.is_sliding_layer, false) > 0},
      {"rope of sliding layers", wanted.sliding_rope, read.sliding_rope,
       std::ranges::count(wanted.is_sliding_layer, true) > 0}};
  for (const auto& row : ropes) {
    if (!row.is_used) continue;
    ANYBIT_ASSIGN(const RopeFrequencies a,
                  kernel::rope_frequencies(row.wanted, wanted.max_positions));
    ANYBIT_ASSIGN(const RopeFrequencies b,
                  kernel::rope_frequencies(row.read, wanted.max_positions));
    if (is_same(a, b)) continue;
    return unsupported(source, fmt::format("this {} (scaling \"{}\")", row.name,
                                           kernel::name(row.wanted.scaling)));
  }
  return {};
}

}  // namespace

Result<GgufConfig> gguf_config(const ModelConfig& config, std::string_view source) {
  GgufConfig result;
  result.metadata = tensor::GgufMetadata(std::string(source));
  const std::string name = architecture_name(config);
  result.metadata.set_string("general.architecture", name);
  Keys keys(name + ".", result.metadata);
  set_extents(config, keys);
  ANYBIT_TRY(set_rope(config, source, keys, result));
  if (config.family == "gemma3") {
    keys.set_float("rope.freq_base_swa", config.sliding_rope.theta);
    if (config.final_soft_cap != 0) {
      keys.set_float("final_logit_softcapping", config.final_soft_cap);
    }
  }
  ANYBIT_ASSIGN(const ModelConfig read, model::parse_model_config(result.metadata, source));
  result.interleaves_rope = read.rope.pairing == kernel::RopePairing::kInterleaved;
  if (const std::string what = first_difference(config, read); !what.empty()) {
    return unsupported(source, what);
  }
  ANYBIT_TRY(check_rope(config, read, result, source));
  if (result.interleaves_rope && config.rope.rotary_dim != config.head_dim) {
    return unsupported(source, "a rope that turns a part of each head");
  }
  return result;
}

}  // namespace anybit::recipe
