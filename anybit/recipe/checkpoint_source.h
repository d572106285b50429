// Checkpoints as quantization reads them (quantize_model.h), from the files a user has.
#pragma once

#include <filesystem>

#include "anybit/base/result.h"
#include "anybit/recipe/quantize_model.h"

namespace anybit::recipe {

/// A Hugging Face folder: config.json, safetensors (plain, or quantized by Anybit and then decoded
/// again) and its small text files (tokenizer, generation settings, chat template).
/// A tensor that the model's family does not know is kept as it is.
/// Errors: those of tensor::QuantizedFolder::open() and model::parse_model_config().
Result<CheckpointSource> open_folder_checkpoint(const std::filesystem::path& folder);

/// A GGUF file, as the folder it was made from: Hugging Face names, rows of queries and keys in the
/// folder's order, one tensor an expert, a config.json and a tokenizer.json made from the metadata.
/// Errors: those of tensor::open_gguf(), model::open_gguf_weights() and model::tokenizer_json().
Result<CheckpointSource> open_gguf_checkpoint(const std::filesystem::path& path);

/// One of the two, by the path's extension.
Result<CheckpointSource> open_checkpoint(const std::filesystem::path& path);

}  // namespace anybit::recipe
