// Writing a config.json: the other direction of parse_model_config(). For checkpoints that come
// from files without one (GGUF).
#pragma once

#include <string>

#include "anybit/model/config.h"

namespace anybit::model {

/// The text of a Hugging Face config.json for this model.
/// Post: parse_model_config() of the result gives `config` back, apart from fields a folder does
/// not have: rope pairing is kHalves, and frequency divisors come back as longrope factors. Pre:
/// validate(config) holds; config.rope.pairing is kHalves.
std::string model_config_json(const ModelConfig& config);

}  // namespace anybit::model
