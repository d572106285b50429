// The metadata keys of GGUF files that most families share.
// Source: ggml's docs/gguf.md, section "Standardized key-value pairs".
#include <algorithm>
#include <cmath>
#include <limits>
#include <variant>

#include "anybit/model/architecture/internal/families.h"

namespace anybit::model::internal {
namespace {

/// vocab_size, else the number of tokens the file lists.
Result<int64_t> vocab_size(const tensor::GgufMetadata& metadata, std::string_view file_name) {
  ANYBIT_ASSIGN(const std::string key, gguf_key(metadata, "vocab_size"));
  if (metadata.find(key) != nullptr) return metadata.get_int(key);
  const tensor::GgufValue* tokens = metadata.find("tokenizer.ggml.tokens");
  const auto* array = tokens == nullptr ? nullptr : std::get_if<tensor::GgufArray>(&tokens->value);
  if (array == nullptr) {
    return fail(ErrorCode::kCorruptData, "{}: expected {} or tokenizer.ggml.tokens, found neither",
                file_name, key);
  }
  return array->size();
}

Result<std::optional<int32_t>> optional_token(const tensor::GgufMetadata& metadata,
                                              std::string_view key, std::string_view file_name) {
  if (metadata.find(key) == nullptr) return std::optional<int32_t>();
  ANYBIT_ASSIGN(const int64_t id, metadata.get_int(key));
  if (id < 0 || id > std::numeric_limits<int32_t>::max()) {
    return fail(ErrorCode::kCorruptData, "{}: {} must be a token id, found {}", file_name, key, id);
  }
  return std::optional(static_cast<int32_t>(id));
}

Status read_token_ids(const tensor::GgufMetadata& metadata, std::string_view file_name,
                      ModelConfig& config) {
  ANYBIT_ASSIGN(config.bos_id, optional_token(metadata, "tokenizer.ggml.bos_token_id", file_name));
  for (const std::string_view key :
       {"tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id"}) {
    ANYBIT_ASSIGN(const std::optional<int32_t> id, optional_token(metadata, key, file_name));
    if (id && std::ranges::find(config.eos_ids, *id) == config.eos_ids.end()) {
      config.eos_ids.push_back(*id);
    }
  }
  return {};
}

Result<kernel::RopeParameters> read_rope(const tensor::GgufMetadata& metadata,
                                         std::string_view file_name, kernel::RopePairing pairing,
                                         const ModelConfig& config, const std::string& prefix) {
  kernel::RopeParameters rope;
  rope.pairing = pairing;
  ANYBIT_ASSIGN(rope.rotary_dim,
                metadata.get_int_or(prefix + "rope.dimension_count", config.head_dim));
  ANYBIT_ASSIGN(rope.theta, metadata.get_float_or(prefix + "rope.freq_base", 10000));
  // Files of 2023 give a linear scale alone.
  ANYBIT_ASSIGN(const double linear, metadata.get_float_or(prefix + "rope.scale_linear", 0));
  ANYBIT_ASSIGN(const std::string type,
                metadata.get_string_or(prefix + "rope.scaling.type", linear > 0 ? "linear" : ""));
  if (type.empty() || type == "none") return rope;
  const auto kind = kernel::parse_rope_scaling(type);
  if (!kind) {
    return fail(ErrorCode::kUnsupported, "{}: {}rope.scaling.type: {}", file_name, prefix,
                kind.error().message);
  }
  rope.scaling = *kind;
  ANYBIT_ASSIGN(rope.factor,
                metadata.get_float_or(prefix + "rope.scaling.factor", linear > 0 ? linear : 1));
  ANYBIT_ASSIGN(
      rope.original_max_position,
      metadata.get_int_or(prefix + "rope.scaling.original_context_length", config.max_positions));
  ANYBIT_ASSIGN(rope.attention_factor,
                metadata.get_float_or(prefix + "rope.scaling.attn_factor", 0));
  ANYBIT_ASSIGN(rope.beta_fast,
                metadata.get_float_or(prefix + "rope.scaling.yarn_beta_fast", rope.beta_fast));
  ANYBIT_ASSIGN(rope.beta_slow,
                metadata.get_float_or(prefix + "rope.scaling.yarn_beta_slow", rope.beta_slow));
  return rope;
}

}  // namespace

Result<std::string> gguf_key(const tensor::GgufMetadata& metadata, std::string_view suffix) {
  ANYBIT_ASSIGN(const std::string name, metadata.get_string("general.architecture"));
  return fmt::format("{}.{}", name, suffix);
}

Result<ModelConfig> read_gguf(const tensor::GgufMetadata& metadata, std::string_view file_name,
                              kernel::RopePairing pairing) {
  ModelConfig config;
  ANYBIT_ASSIGN(const std::string prefix, gguf_key(metadata, ""));
  const struct {
    std::string_view key;
    int64_t ModelConfig::*extent;
  } extents[] = {
      {"embedding_length", &ModelConfig::hidden_size},
      {"feed_forward_length", &ModelConfig::intermediate_size},
      {"block_count", &ModelConfig::num_layers},
      {"attention.head_count", &ModelConfig::num_q_heads},
      {"context_length", &ModelConfig::max_positions},
  };
  for (const auto& extent : extents) {
    ANYBIT_ASSIGN(config.*extent.extent, metadata.get_int(prefix + std::string(extent.key)));
  }
  if (config.num_q_heads < 1) {
    return fail(ErrorCode::kCorruptData, "{}: {}attention.head_count must be positive, found {}",
                file_name, prefix, config.num_q_heads);
  }
  ANYBIT_ASSIGN(config.num_kv_heads,
                metadata.get_int_or(prefix + "attention.head_count_kv", config.num_q_heads));
  ANYBIT_ASSIGN(config.head_dim, metadata.get_int_or(prefix + "attention.key_length",
                                                     config.hidden_size / config.num_q_heads));
  ANYBIT_ASSIGN(const int64_t value_length,
                metadata.get_int_or(prefix + "attention.value_length", config.head_dim));
  if (config.head_dim < 1 || value_length != config.head_dim) {
    return fail(ErrorCode::kUnsupported,
                "{}: keys and values must have heads of one size, found {}attention.key_length {} "
                "and value_length {}",
                file_name, prefix, config.head_dim, value_length);
  }
  ANYBIT_ASSIGN(config.vocab_size, vocab_size(metadata, file_name));
  ANYBIT_ASSIGN(const double eps, metadata.get_float(prefix + "attention.layer_norm_rms_epsilon"));
  config.norm_eps = static_cast<float>(eps);
  config.attention_scale = static_cast<float>(1 / std::sqrt(static_cast<double>(config.head_dim)));
  config.has_tied_embeddings = true;
  ANYBIT_ASSIGN(config.rope, read_rope(metadata, file_name, pairing, config, prefix));
  config.sliding_rope = config.rope;
  config.is_sliding_layer.assign(
      static_cast<size_t>(std::clamp<int64_t>(config.num_layers, 0, 1 << 12)), false);
  ANYBIT_TRY(read_token_ids(metadata, file_name, config));
  return config;
}

}  // namespace anybit::model::internal
