#include "anybit/model/architecture/config_json.h"

#include <algorithm>
#include <cmath>

#include "anybit/base/check.h"
#include "anybit/base/json.h"
#include "anybit/model/architecture/architecture.h"

namespace anybit::model {
namespace {

struct ClassName {
  std::string_view family;
  std::string_view name;
};

// What transformers calls the model classes.
constexpr ClassName kClassNames[] = {
    {"llama", "LlamaForCausalLM"},   {"mistral", "MistralForCausalLM"},
    {"qwen2", "Qwen2ForCausalLM"},   {"qwen3", "Qwen3ForCausalLM"},
    {"gemma3", "Gemma3ForCausalLM"}, {"mixtral", "MixtralForCausalLM"}};

// Floats were read from text as doubles: the shortest text of the float is what was meant.
double shortest(float value) { return std::stod(fmt::format("{}", value)); }

OrderedJson rope_json(const kernel::RopeParameters& rope) {
  OrderedJson object;
  if (!rope.frequency_divisors.empty()) {
    return {{"rope_type", "longrope"},
            {"factor", 1.0},
            {"attention_factor", 1.0},
            {"short_factor", rope.frequency_divisors},
            {"long_factor", rope.frequency_divisors}};
  }
  if (rope.scaling == kernel::RopeScaling::kNone) return object;
  object["rope_type"] = kernel::name(rope.scaling);
  object["factor"] = rope.factor;
  object["original_max_position_embeddings"] = rope.original_max_position;
  object["low_freq_factor"] = rope.low_frequency_factor;
  object["high_freq_factor"] = rope.high_frequency_factor;
  object["beta_fast"] = rope.beta_fast;
  object["beta_slow"] = rope.beta_slow;
  object["truncate"] = rope.truncates_ramp;
  if (rope.attention_factor != 0) object["attention_factor"] = rope.attention_factor;
  if (rope.mscale != 0) object["mscale"] = rope.mscale;
  if (rope.mscale_all_dim != 0) object["mscale_all_dim"] = rope.mscale_all_dim;
  if (!rope.short_factors.empty()) object["short_factor"] = rope.short_factors;
  if (!rope.long_factors.empty()) object["long_factor"] = rope.long_factors;
  return object;
}

void add_rope(const ModelConfig& config, OrderedJson& object) {
  object["rope_theta"] = config.rope.theta;
  if (OrderedJson scaling = rope_json(config.rope); !scaling.empty()) {
    object["rope_scaling"] = std::move(scaling);
  }
  if (config.rope.rotary_dim != config.head_dim) {
    object["partial_rotary_factor"] =
        static_cast<double>(config.rope.rotary_dim) / static_cast<double>(config.head_dim);
  }
}

void add_gemma3(const ModelConfig& config, OrderedJson& object) {
  object["hidden_activation"] = kernel::name(config.activation);
  const double scale = config.attention_scale;
  object["query_pre_attn_scalar"] = std::nearbyint(1 / (scale * scale) * 1e4) / 1e4;
  object["rope_local_base_freq"] = config.sliding_rope.theta;
  if (config.attention_soft_cap != 0) {
    object["attn_logit_softcapping"] = shortest(config.attention_soft_cap);
  }
  if (config.final_soft_cap != 0) {
    object["final_logit_softcapping"] = shortest(config.final_soft_cap);
  }
}

void add_sliding(const ModelConfig& config, OrderedJson& object) {
  if (config.sliding_window == 0) {
    // Absent, some families take a default.
    if (config.family == "mistral" || config.family == "mixtral")
      object["sliding_window"] = nullptr;
    return;
  }
  object["sliding_window"] = config.sliding_window;
  OrderedJson types = OrderedJson::array();
  for (const bool is_sliding : config.is_sliding_layer) {
    types.push_back(is_sliding ? "sliding_attention" : "full_attention");
  }
  object["layer_types"] = types;
}

}  // namespace

std::string model_config_json(const ModelConfig& config) {
  ANYBIT_CHECK(config.rope.pairing == kernel::RopePairing::kHalves);
  const Architecture& family = architecture(config.family);
  OrderedJson object;
  for (const ClassName& row : kClassNames) {
    if (row.family == config.family) object["architectures"] = {row.name};
  }
  object["model_type"] = family.model_types.front();
  object["hidden_size"] = config.hidden_size;
  object["intermediate_size"] = config.intermediate_size;
  object["num_hidden_layers"] = config.num_layers;
  object["num_attention_heads"] = config.num_q_heads;
  object["num_key_value_heads"] = config.num_kv_heads;
  object["head_dim"] = config.head_dim;
  object["vocab_size"] = config.vocab_size;
  object["max_position_embeddings"] = config.max_positions;
  object["rms_norm_eps"] = shortest(config.norm_eps);
  object["tie_word_embeddings"] = config.has_tied_embeddings;
  object["attention_bias"] = config.has_attention_output_bias;
  object["mlp_bias"] = config.has_mlp_bias;
  add_rope(config, object);
  add_sliding(config, object);
  if (config.family == "gemma3") {
    add_gemma3(config, object);
  } else {
    object["hidden_act"] = kernel::name(config.activation);
  }
  if (config.is_moe()) {
    object["num_local_experts"] = config.num_experts;
    object["num_experts_per_tok"] = config.num_experts_per_token;
  }
  if (config.bos_id) object["bos_token_id"] = *config.bos_id;
  if (config.eos_ids.size() == 1) object["eos_token_id"] = config.eos_ids.front();
  if (config.eos_ids.size() > 1) object["eos_token_id"] = config.eos_ids;
  object["torch_dtype"] = "float32";
  return object.dump(2) + "\n";
}

}  // namespace anybit::model
