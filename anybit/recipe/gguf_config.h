// A model's config as GGUF metadata: the inverse of model::parse_model_config() on metadata.
#pragma once

#include <string>
#include <vector>

#include "anybit/base/result.h"
#include "anybit/model/config.h"
#include "anybit/tensor/io/gguf_metadata.h"

namespace anybit::recipe {

/// A config in the words of GGUF.
struct GgufConfig {
  tensor::GgufMetadata metadata;  // general.architecture and <architecture>.*.
  /// [rotary_dim / 2], for the tensor rope_freqs.weight; empty: none is needed. Llama 3's scaling
  /// of rope is written so.
  std::vector<float> rope_divisors;
  bool interleaves_rope = false;  // Query and key rows are ordered for neighbouring pairs.
};

/// The config of a Hugging Face folder. `source` opens messages.
/// Post: parse_model_config() of the metadata gives the same decoder.
/// Errors: kUnsupported naming what the format cannot say of this model: a field that would be read
/// back with another value, or a scaling of rope.
/// Source: GGUF specification, "Standardized key-value pairs".
Result<GgufConfig> gguf_config(const model::ModelConfig& config, std::string_view source);

}  // namespace anybit::recipe
