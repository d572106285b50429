// The tokenizer of a GGUF file, from its metadata.
#pragma once

#include "anybit/base/result.h"
#include "anybit/model/tokenizer/tokenizer_data.h"
#include "anybit/tensor/io/gguf_metadata.h"

namespace anybit::model {

/// The `tokenizer.ggml.*` values of `metadata`, for Tokenizer::from_gguf_data().
/// Errors: kNotFound without tokenizer.ggml.model or .tokens; kCorruptData for a value of another
/// type, naming the key.
Result<TokenizerData> read_tokenizer_data(const tensor::GgufMetadata& metadata);

}  // namespace anybit::model
