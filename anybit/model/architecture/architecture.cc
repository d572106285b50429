#include "anybit/model/architecture/architecture.h"

#include <fmt/format.h>

#include <algorithm>

#include "anybit/base/check.h"
#include "anybit/model/architecture/internal/families.h"

namespace anybit::model {
namespace {

using internal::parse_config_object;

std::string known_names(std::span<const std::string_view> (*names_of)(const Architecture&)) {
  std::string list;
  for (const Architecture& row : architectures()) {
    for (const std::string_view name : names_of(row)) {
      if (!list.empty()) list += ", ";
      list += name;
    }
  }
  return list;
}

void replace_all(std::string& text, std::string_view mark, int64_t number) {
  const std::string digits = std::to_string(number);
  for (size_t at = text.find(mark); at != std::string::npos; at = text.find(mark, at)) {
    text.replace(at, mark.size(), digits);
    at += digits.size();
  }
}

/// Collects the tensors of a folder, in forward order.
class TensorLister {
 public:
  explicit TensorLister(const ModelConfig& config)
      : config_(config), names_(architecture(config.family).folder_names) {}

  std::vector<ModelTensor> list() {
    add(TensorRole::kEmbedding, -1);
    for (int64_t layer = 0; layer < config_.num_layers; ++layer) add_layer(layer);
    add(TensorRole::kOutputNorm, -1);
    if (!config_.has_tied_embeddings) add(TensorRole::kOutput, -1);
    return std::move(tensors_);
  }

 private:
  void add(TensorRole role, int64_t layer, int64_t expert = -1) {
    const std::string_view pattern = names_[static_cast<size_t>(role)];
    ANYBIT_CHECK(!pattern.empty());
    tensors_.push_back(
        {tensor_name(pattern, layer, expert), role, layer, expert, expected_shape(config_, role)});
  }

  void add_layer(int64_t layer) {
    add(TensorRole::kAttentionNorm, layer);
    const TensorRole projections[] = {TensorRole::kQuery, TensorRole::kKey, TensorRole::kValue};
    for (const TensorRole role : projections) add(role, layer);
    if (config_.has_qkv_bias) {
      const TensorRole biases[] = {TensorRole::kQueryBias, TensorRole::kKeyBias,
                                   TensorRole::kValueBias};
      for (const TensorRole role : biases) add(role, layer);
    }
    if (config_.has_qk_norm) {
      add(TensorRole::kQueryNorm, layer);
      add(TensorRole::kKeyNorm, layer);
    }
    add(TensorRole::kAttentionOutput, layer);
    if (config_.has_attention_output_bias) add(TensorRole::kAttentionOutputBias, layer);
    if (config_.has_post_norms) add(TensorRole::kPostAttentionNorm, layer);
    add(TensorRole::kMlpNorm, layer);
    if (config_.is_moe()) add(TensorRole::kRouter, layer);
    for (int64_t expert = 0; expert < std::max<int64_t>(config_.num_experts, 1); ++expert) {
      add_mlp(layer, config_.is_moe() ? expert : -1);
    }
    if (config_.has_post_norms) add(TensorRole::kPostMlpNorm, layer);
  }

  void add_mlp(int64_t layer, int64_t expert) {
    const TensorRole matrices[] = {TensorRole::kGate, TensorRole::kUp, TensorRole::kDown};
    for (const TensorRole role : matrices) add(role, layer, expert);
    if (!config_.has_mlp_bias) return;
    const TensorRole biases[] = {TensorRole::kGateBias, TensorRole::kUpBias, TensorRole::kDownBias};
    for (const TensorRole role : biases) add(role, layer, expert);
  }

  const ModelConfig& config_;
  const TensorNames& names_;
  std::vector<ModelTensor> tensors_;
};

}  // namespace

std::span<const Architecture> architectures() {
  static const std::array<Architecture, 6> rows = {
      internal::llama_architecture(),   internal::mistral_architecture(),
      internal::mixtral_architecture(), internal::qwen2_architecture(),
      internal::qwen3_architecture(),   internal::gemma3_architecture(),
  };
  return rows;
}

const Architecture& architecture(std::string_view name) {
  const auto rows = architectures();
  const auto found = std::ranges::find(rows, name, &Architecture::name);
  ANYBIT_CHECK(found != rows.end());
  return *found;
}

Result<ModelConfig> parse_model_config(std::string_view config_json, std::string_view file_name) {
  ANYBIT_ASSIGN(const Json object, parse_config_object(config_json, file_name));
  ANYBIT_ASSIGN(const std::string model_type,
                json_member<std::string>(object, "model_type", file_name));
  for (const Architecture& row : architectures()) {
    if (std::ranges::find(row.model_types, model_type) == row.model_types.end()) continue;
    ANYBIT_ASSIGN(ModelConfig config, row.parse_json(config_json, file_name));
    config.family = row.name;
    ANYBIT_TRY(validate(config, file_name));
    return config;
  }
  return fail(ErrorCode::kUnsupported, "{}: model_type \"{}\" is not implemented; known: {}",
              file_name, model_type,
              known_names([](const Architecture& row) { return row.model_types; }));
}

Result<ModelConfig> parse_model_config(const tensor::GgufMetadata& metadata,
                                       std::string_view file_name) {
  ANYBIT_ASSIGN(const std::string name, metadata.get_string("general.architecture"));
  for (const Architecture& row : architectures()) {
    if (std::ranges::find(row.gguf_architectures, name) == row.gguf_architectures.end()) continue;
    ANYBIT_ASSIGN(ModelConfig config, row.parse_gguf(metadata, file_name));
    config.family = row.name;
    ANYBIT_TRY(validate(config, file_name));
    return config;
  }
  return fail(ErrorCode::kUnsupported,
              "{}: general.architecture \"{}\" is not implemented; known: {}", file_name, name,
              known_names([](const Architecture& row) { return row.gguf_architectures; }));
}

std::string tensor_name(std::string_view pattern, int64_t layer, int64_t expert) {
  std::string name(pattern);
  replace_all(name, "{L}", layer);
  replace_all(name, "{E}", expert);
  return name;
}

std::vector<int64_t> expected_shape(const ModelConfig& config, TensorRole role) {
  const int64_t hidden = config.hidden_size, intermediate = config.intermediate_size;
  const int64_t q = config.q_size(), kv = config.kv_size(), experts = config.num_experts;
  switch (role) {
    case TensorRole::kEmbedding:
    case TensorRole::kOutput: return {config.vocab_size, hidden};
    case TensorRole::kRopeDivisors: return {config.rope.rotary_dim / 2};
    case TensorRole::kOutputNorm:
    case TensorRole::kAttentionNorm:
    case TensorRole::kPostAttentionNorm:
    case TensorRole::kMlpNorm:
    case TensorRole::kPostMlpNorm:
    case TensorRole::kAttentionOutputBias:
    case TensorRole::kDownBias: return {hidden};
    case TensorRole::kQuery: return {q, hidden};
    case TensorRole::kKey:
    case TensorRole::kValue: return {kv, hidden};
    case TensorRole::kAttentionOutput: return {hidden, q};
    case TensorRole::kQueryBias: return {q};
    case TensorRole::kKeyBias:
    case TensorRole::kValueBias: return {kv};
    case TensorRole::kQueryNorm:
    case TensorRole::kKeyNorm: return {config.head_dim};
    case TensorRole::kGate:
    case TensorRole::kUp: return {intermediate, hidden};
    case TensorRole::kDown: return {hidden, intermediate};
    case TensorRole::kGateBias:
    case TensorRole::kUpBias: return {intermediate};
    case TensorRole::kRouter: return {experts, hidden};
    case TensorRole::kGateExperts:
    case TensorRole::kUpExperts: return {experts, intermediate, hidden};
    case TensorRole::kDownExperts: return {experts, hidden, intermediate};
  }
  ANYBIT_CHECK(false && "every role has a shape");
  return {};
}

std::vector<ModelTensor> model_tensors(const ModelConfig& config) {
  return TensorLister(config).list();
}

}  // namespace anybit::model
