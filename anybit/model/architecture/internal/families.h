// The rows of architectures(), one a file, and what they share: names that most families have, and
// readers of the fields that most families have.
#pragma once

#include <string_view>
#include <utility>

#include "anybit/base/json.h"
#include "anybit/base/result.h"
#include "anybit/model/architecture/architecture.h"
#include "anybit/model/config.h"
#include "anybit/tensor/io/gguf_metadata.h"

namespace anybit::model::internal {

Architecture llama_architecture();
Architecture mistral_architecture();
Architecture mixtral_architecture();
Architecture qwen2_architecture();
Architecture qwen3_architecture();
Architecture gemma3_architecture();

/// The names Llama has in a Hugging Face folder, and in GGUF; families override some.
TensorNames folder_names_of_llama();
TensorNames gguf_names_of_llama();

/// `names` with some roles named otherwise.
TensorNames with_names(TensorNames names,
                       std::initializer_list<std::pair<TensorRole, std::string_view>> changes);

/// What a family takes for a field its config.json leaves out. 0: the field must be there.
struct JsonDefaults {
  int64_t hidden_size = 0;
  int64_t intermediate_size = 0;
  int64_t num_layers = 0;
  int64_t num_q_heads = 0;
  int64_t num_kv_heads = 0;  // 0: as many as query heads.
  int64_t head_dim = 0;      // 0: hidden_size / num_q_heads.
  int64_t vocab_size = 0;
  int64_t max_positions = 2048;
  double norm_eps = 1e-6;
  double rope_theta = 10000;
  bool has_tied_embeddings = false;
  std::string_view activation_key = "hidden_act";
  std::string_view activation = "silu";
};

/// The fields all families share: extents, norm, rope, activation, tokens; no layer slides.
/// Post: attention_scale = 1 / sqrt(head_dim); sliding_rope is rope.
Result<ModelConfig> read_json(const Json& object, std::string_view file_name,
                              const JsonDefaults& defaults);

/// Parses a config.json for read_json().
Result<Json> parse_config_object(std::string_view config_json, std::string_view file_name);

/// Rope parameters out of `scaling` (rope_scaling, or one entry of rope_parameters; null: none)
/// with theta from there, else `theta`.
Result<kernel::RopeParameters> read_rope(const Json& object, const Json& scaling, double theta,
                                         const ModelConfig& config, std::string_view file_name);

/// Marks the layers that layer_types calls "sliding_attention". Post: false if it is absent.
Result<bool> read_layer_types(const Json& object, std::string_view file_name, ModelConfig& config);

/// Marks layers [first, num_layers) as sliding if sliding_window is a number.
Status read_sliding_window(const Json& object, std::string_view file_name, int64_t first,
                           ModelConfig& config);

/// The fields all families share, from keys "<general.architecture>.*".
/// Post: as for read_json(); rope.pairing is `pairing`; tied if `metadata` does not say otherwise
/// (weights/gguf_source sets it from the tensors there are).
Result<ModelConfig> read_gguf(const tensor::GgufMetadata& metadata, std::string_view file_name,
                              kernel::RopePairing pairing);

/// "<general.architecture>.<suffix>".
Result<std::string> gguf_key(const tensor::GgufMetadata& metadata, std::string_view suffix);

}  // namespace anybit::model::internal
