// Checkpoints as quantization reads them (quantize_model.h), from the files a user has.
#pragma once

#include <string_view>

#include "anybit/base/progress.h"
#include "anybit/base/result.h"
#include "anybit/model/open.h"
#include "anybit/recipe/quantize_model.h"

namespace anybit::recipe {

/// A Hugging Face folder: config.json, safetensors (plain, or quantized by Anybit and then decoded
/// again) and its small text files (tokenizer, generation settings, chat template).
/// A tensor that the model's family does not know is kept as it is.
/// Errors: those of tensor::QuantizedFolder::open().
Result<CheckpointSource> open_folder_checkpoint(const model::OpenedModel& opened);

/// A GGUF file, as the folder it was made from: Hugging Face names, rows of queries and keys in the
/// folder's order, one tensor an expert, a config.json and a tokenizer.json made from the metadata.
/// Errors: those of model::read_layer() and model::tokenizer_json().
Result<CheckpointSource> open_gguf_checkpoint(const model::OpenedModel& opened);

/// Opens what a user names (model::open_model()) and reads it as one of the two.
Result<CheckpointSource> open_checkpoint(std::string_view name, const ProgressSink& progress = {});

}  // namespace anybit::recipe
