// Architectures: one row a model family, saying how the config fields and tensor names of Hugging
// Face folders and GGUF files map to the common decoder (config.h). The forward passes know no
// family.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "anybit/base/result.h"
#include "anybit/model/config.h"
#include "anybit/tensor/io/gguf_metadata.h"

namespace anybit::model {

/// What a tensor is for.
enum class TensorRole : uint8_t {
  kEmbedding,            // [vocab_size, hidden_size]
  kOutputNorm,           // [hidden_size]
  kOutput,               // [vocab_size, hidden_size]; absent if tied.
  kRopeDivisors,         // [rotary_dim / 2]; GGUF only, optional.
  kAttentionNorm,        // [hidden_size]
  kQuery,                // [q_size, hidden_size]
  kKey,                  // [kv_size, hidden_size]
  kValue,                // [kv_size, hidden_size]
  kAttentionOutput,      // [hidden_size, q_size]
  kQueryBias,            // [q_size]
  kKeyBias,              // [kv_size]
  kValueBias,            // [kv_size]
  kAttentionOutputBias,  // [hidden_size]
  kQueryNorm,            // [head_dim]
  kKeyNorm,              // [head_dim]
  kPostAttentionNorm,    // [hidden_size]
  kMlpNorm,              // [hidden_size]
  kPostMlpNorm,          // [hidden_size]
  kGate,                 // [intermediate_size, hidden_size]; of each expert.
  kUp,                   // [intermediate_size, hidden_size]
  kDown,                 // [hidden_size, intermediate_size]
  kGateBias,             // [intermediate_size]
  kUpBias,               // [intermediate_size]
  kDownBias,             // [hidden_size]
  kRouter,               // [num_experts, hidden_size]
  kGateExperts,          // [num_experts, intermediate_size, hidden_size]: all experts in one.
  kUpExperts,            // [num_experts, intermediate_size, hidden_size]
  kDownExperts,          // [num_experts, hidden_size, intermediate_size]
};
inline constexpr int kNumTensorRoles = 28;

/// Name patterns by role: {L} stands for the layer, {E} for the expert; empty: never stored.
using TensorNames = std::array<std::string_view, kNumTensorRoles>;

/// One family.
struct Architecture {
  std::string_view name;                                 // "gemma3"
  std::string_view description;                          // One line.
  std::span<const std::string_view> model_types;         // config.json's model_type.
  std::span<const std::string_view> gguf_architectures;  // general.architecture.
  TensorNames folder_names;                              // Of safetensors.
  TensorNames gguf_names;
  /// The config from the text of a config.json that names this family.
  Result<ModelConfig> (*parse_json)(std::string_view config_json, std::string_view file_name);
  Result<ModelConfig> (*parse_gguf)(const tensor::GgufMetadata& metadata,
                                    std::string_view file_name);
};

/// Every family.
std::span<const Architecture> architectures();

/// The row of that name. Pre: it exists.
const Architecture& architecture(std::string_view name);

/// Chooses the family by model_type, reads and validates the config.
/// Errors: kCorruptData naming file, field, expected and found; kUnsupported for another
/// model_type, listing those known, or for an option of the family that is not implemented.
Result<ModelConfig> parse_model_config(std::string_view config_json, std::string_view file_name);

/// The same from GGUF metadata, by general.architecture.
Result<ModelConfig> parse_model_config(const tensor::GgufMetadata& metadata,
                                       std::string_view file_name);

/// `pattern` with the numbers put in.
std::string tensor_name(std::string_view pattern, int64_t layer, int64_t expert = 0);

/// A tensor a model needs.
struct ModelTensor {
  std::string name;
  TensorRole role;
  int64_t layer = -1;          // -1: of no layer.
  int64_t expert = -1;         // -1: of no expert.
  std::vector<int64_t> shape;  // Slowest first.
  bool is_matrix() const { return shape.size() >= 2; }
};

/// The tensors of a Hugging Face folder with this config, in the order a forward pass reads them.
/// Pre: validate(config) holds.
std::vector<ModelTensor> model_tensors(const ModelConfig& config);

/// The shape of a tensor with this role. kRopeDivisors: of the global rope.
std::vector<int64_t> expected_shape(const ModelConfig& config, TensorRole role);

}  // namespace anybit::model
