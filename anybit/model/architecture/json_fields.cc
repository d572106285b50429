// The fields of config.json that most families share.
#include <cmath>
#include <limits>

#include "anybit/model/architecture/internal/families.h"

namespace anybit::model::internal {
namespace {

Result<int64_t> read_extent(const Json& object, std::string_view key, int64_t default_value,
                            std::string_view file_name) {
  if (default_value == 0) return json_member<int64_t>(object, key, file_name);
  return json_member_or<int64_t>(object, key, default_value, file_name);
}

Result<int32_t> token_id(const Json& value, std::string_view key, std::string_view file_name) {
  if (value.is_number_integer()) {
    const auto id = value.get<int64_t>();
    if (id >= 0 && id <= std::numeric_limits<int32_t>::max()) return static_cast<int32_t>(id);
  }
  return fail(ErrorCode::kCorruptData, "{}: {} must be a token id, found {}", file_name, key,
              value.dump(-1, ' ', false, Json::error_handler_t::replace).substr(0, 80));
}

Status read_token_ids(const Json& object, std::string_view file_name, ModelConfig& config) {
  const auto bos = object.find("bos_token_id");
  if (bos != object.end() && !bos->is_null()) {
    ANYBIT_ASSIGN(config.bos_id, token_id(*bos, "bos_token_id", file_name));
  }
  const auto eos = object.find("eos_token_id");
  if (eos == object.end() || eos->is_null()) return {};
  if (!eos->is_array()) {
    ANYBIT_ASSIGN(const int32_t id, token_id(*eos, "eos_token_id", file_name));
    config.eos_ids.push_back(id);
    return {};
  }
  for (const Json& entry : *eos) {
    ANYBIT_ASSIGN(const int32_t id, token_id(entry, "eos_token_id", file_name));
    config.eos_ids.push_back(id);
  }
  return {};
}

Status read_extents(const Json& object, std::string_view file_name, const JsonDefaults& defaults,
                    ModelConfig& config) {
  const struct {
    std::string_view key;
    int64_t default_value;
    int64_t ModelConfig::*extent;
  } extents[] = {
      {"hidden_size", defaults.hidden_size, &ModelConfig::hidden_size},
      {"intermediate_size", defaults.intermediate_size, &ModelConfig::intermediate_size},
      {"num_hidden_layers", defaults.num_layers, &ModelConfig::num_layers},
      {"num_attention_heads", defaults.num_q_heads, &ModelConfig::num_q_heads},
      {"vocab_size", defaults.vocab_size, &ModelConfig::vocab_size},
      {"max_position_embeddings", defaults.max_positions, &ModelConfig::max_positions},
  };
  for (const auto& extent : extents) {
    ANYBIT_ASSIGN(config.*extent.extent,
                  read_extent(object, extent.key, extent.default_value, file_name));
  }
  if (config.num_q_heads < 1) {
    return fail(ErrorCode::kCorruptData, "{}: num_attention_heads must be positive, found {}",
                file_name, config.num_q_heads);
  }
  ANYBIT_ASSIGN(config.num_kv_heads,
                read_extent(object, "num_key_value_heads",
                            defaults.num_kv_heads > 0 ? defaults.num_kv_heads : config.num_q_heads,
                            file_name));
  const int64_t head_dim =
      defaults.head_dim > 0 ? defaults.head_dim : config.hidden_size / config.num_q_heads;
  ANYBIT_ASSIGN(config.head_dim, json_member_or<int64_t>(object, "head_dim", head_dim, file_name));
  return {};
}

/// The layers' shared rope entry: rope_parameters, or the older rope_scaling.
const Json* find_rope(const Json& object) {
  for (const char* key : {"rope_parameters", "rope_scaling"}) {
    const auto found = object.find(key);
    if (found != object.end() && !found->is_null()) return &*found;
  }
  return nullptr;
}

Result<std::vector<double>> read_factors(const Json& scaling, std::string_view key,
                                         std::string_view file_name) {
  std::vector<double> factors;
  const auto found = scaling.find(key);
  if (found == scaling.end() || found->is_null()) return factors;
  if (!found->is_array()) {
    return fail(ErrorCode::kCorruptData, "{}: rope {} must be an array, found {}", file_name, key,
                found->type_name());
  }
  for (const Json& entry : *found) {
    if (!entry.is_number()) {
      return fail(ErrorCode::kCorruptData, "{}: rope {} must hold numbers, found {}", file_name,
                  key, entry.type_name());
    }
    factors.push_back(entry.get<double>());
  }
  return factors;
}

Status read_scaling(const Json& scaling, const ModelConfig& config, std::string_view file_name,
                    kernel::RopeParameters& rope) {
  const char* type_key = scaling.contains("rope_type") ? "rope_type" : "type";
  ANYBIT_ASSIGN(const std::string type,
                json_member_or<std::string>(scaling, type_key, "default", file_name));
  const auto kind = kernel::parse_rope_scaling(type);
  if (!kind) {
    return fail(ErrorCode::kUnsupported, "{}: {}: {}", file_name, type_key, kind.error().message);
  }
  rope.scaling = *kind;
  const struct {
    std::string_view key;
    double* value;
  } numbers[] = {
      {"factor", &rope.factor},
      {"low_freq_factor", &rope.low_frequency_factor},
      {"high_freq_factor", &rope.high_frequency_factor},
      {"beta_fast", &rope.beta_fast},
      {"beta_slow", &rope.beta_slow},
      {"attention_factor", &rope.attention_factor},
      {"mscale", &rope.mscale},
      {"mscale_all_dim", &rope.mscale_all_dim},
  };
  for (const auto& number : numbers) {
    ANYBIT_ASSIGN(*number.value,
                  json_member_or<double>(scaling, number.key, *number.value, file_name));
  }
  ANYBIT_ASSIGN(rope.truncates_ramp,
                json_member_or<bool>(scaling, "truncate", rope.truncates_ramp, file_name));
  ANYBIT_ASSIGN(rope.original_max_position,
                json_member_or<int64_t>(scaling, "original_max_position_embeddings",
                                        config.max_positions, file_name));
  ANYBIT_ASSIGN(rope.short_factors, read_factors(scaling, "short_factor", file_name));
  ANYBIT_ASSIGN(rope.long_factors, read_factors(scaling, "long_factor", file_name));
  return {};
}

}  // namespace

Result<Json> parse_config_object(std::string_view config_json, std::string_view file_name) {
  ANYBIT_ASSIGN(Json object, parse_json(config_json, file_name));
  if (!object.is_object()) {
    return fail(ErrorCode::kCorruptData, "{}: expected a JSON object, found {}", file_name,
                object.type_name());
  }
  return object;
}

Result<kernel::RopeParameters> read_rope(const Json& object, const Json& scaling, double theta,
                                         const ModelConfig& config, std::string_view file_name) {
  kernel::RopeParameters rope;
  rope.theta = theta;
  if (!scaling.is_null() && !scaling.is_object()) {
    return fail(ErrorCode::kCorruptData, "{}: rope parameters must be an object, found {}",
                file_name, scaling.type_name());
  }
  if (scaling.is_object()) {
    ANYBIT_TRY(read_scaling(scaling, config, file_name, rope));
    ANYBIT_ASSIGN(rope.theta, json_member_or<double>(scaling, "rope_theta", rope.theta, file_name));
  }
  ANYBIT_ASSIGN(const double part,
                json_member_or<double>(object, "partial_rotary_factor", 1.0, file_name));
  if (!(part > 0 && part <= 1)) {
    return fail(ErrorCode::kCorruptData,
                "{}: partial_rotary_factor must be over 0 and at most 1, found {}", file_name,
                part);
  }
  rope.rotary_dim = static_cast<int64_t>(part * static_cast<double>(config.head_dim));
  return rope;
}

Result<ModelConfig> read_json(const Json& object, std::string_view file_name,
                              const JsonDefaults& defaults) {
  ModelConfig config;
  ANYBIT_TRY(read_extents(object, file_name, defaults, config));
  ANYBIT_ASSIGN(const double eps,
                json_member_or<double>(object, "rms_norm_eps", defaults.norm_eps, file_name));
  config.norm_eps = static_cast<float>(eps);
  config.attention_scale = static_cast<float>(1 / std::sqrt(static_cast<double>(config.head_dim)));
  ANYBIT_ASSIGN(
      config.has_tied_embeddings,
      json_member_or<bool>(object, "tie_word_embeddings", defaults.has_tied_embeddings, file_name));
  ANYBIT_ASSIGN(const std::string activation,
                json_member_or<std::string>(object, defaults.activation_key,
                                            std::string(defaults.activation), file_name));
  const auto parsed = kernel::parse_activation(activation);
  if (!parsed) {
    return fail(parsed.error().code, "{}: {}: {}", file_name, defaults.activation_key,
                parsed.error().message);
  }
  config.activation = *parsed;
  ANYBIT_ASSIGN(const double theta,
                json_member_or<double>(object, "rope_theta", defaults.rope_theta, file_name));
  const Json* scaling = find_rope(object);
  const bool is_by_layer_type =
      scaling != nullptr && scaling->is_object() && scaling->contains("full_attention");
  ANYBIT_ASSIGN(config.rope, read_rope(object,
                                       is_by_layer_type     ? scaling->at("full_attention")
                                       : scaling != nullptr ? *scaling
                                                            : Json(),
                                       theta, config, file_name));
  config.sliding_rope = config.rope;
  config.is_sliding_layer.assign(
      static_cast<size_t>(std::clamp<int64_t>(config.num_layers, 0, 1 << 12)), false);
  ANYBIT_TRY(read_token_ids(object, file_name, config));
  return config;
}

Result<bool> read_layer_types(const Json& object, std::string_view file_name, ModelConfig& config) {
  const auto types = object.find("layer_types");
  if (types == object.end() || types->is_null()) return false;
  if (!types->is_array()) {
    return fail(ErrorCode::kCorruptData, "{}: layer_types must be an array, found {}", file_name,
                types->type_name());
  }
  config.is_sliding_layer.clear();
  for (const Json& type : *types) {
    const std::string_view text =
        type.is_string() ? std::string_view(type.get_ref<const std::string&>()) : "";
    if (text != "sliding_attention" && text != "full_attention") {
      return fail(ErrorCode::kUnsupported,
                  "{}: layer_types may hold full_attention and sliding_attention, found {}",
                  file_name, type.dump(-1, ' ', false, Json::error_handler_t::replace));
    }
    config.is_sliding_layer.push_back(text == "sliding_attention");
  }
  ANYBIT_ASSIGN(config.sliding_window,
                json_member_or<int64_t>(object, "sliding_window", 0, file_name));
  return true;
}

Status read_sliding_window(const Json& object, std::string_view file_name, int64_t first,
                           ModelConfig& config) {
  ANYBIT_ASSIGN(config.sliding_window,
                json_member_or<int64_t>(object, "sliding_window", 0, file_name));
  if (config.sliding_window == 0) return {};
  for (size_t layer = static_cast<size_t>(std::max<int64_t>(first, 0));
       layer < config.is_sliding_layer.size(); ++layer) {
    config.is_sliding_layer[layer] = true;
  }
  return {};
}

}  // namespace anybit::model::internal
