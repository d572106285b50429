// The tokenizer of a Hugging Face folder as GGUF metadata: the inverse of tokenizer_json.h and
// gguf_tokenizer.h.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "anybit/base/result.h"
#include "anybit/model/tokenizer/tokenizer.h"
#include "anybit/model/tokenizer/tokenizer_data.h"
#include "anybit/tensor/io/gguf_metadata.h"

namespace anybit::model {

/// What a GGUF file says of the tokenizer with the text `json`; `loaded` is that tokenizer, with
/// its special tokens, and `name` opens messages.
///
/// A byte-level BPE becomes "gpt2", with the row of pre_tokenizer_table() that has its patterns.
/// A BPE of characters with byte fallback becomes "llama"; the score of a token is minus the rank
/// of the best merge that makes it.
/// The format has no Unicode normalization and no tokens that strip white space around them: an
/// NFC normalizer and these flags are left out, as by the format's reference converter.
/// Post: tokens has `vocab_size` entries: ids without a token are named and marked unused, added
/// tokens beyond the embedding, which no model could read, are dropped.
/// Errors: kUnsupported naming the component that the format has no word for; kCorruptData if a
/// token of the vocabulary itself is beyond vocab_size; those of parse_json().
/// Source: GGUF specification, "tokenizer.ggml".
Result<TokenizerData> tokenizer_data_from_json(std::string_view json, std::string_view name,
                                               const Tokenizer& loaded, int64_t vocab_size);

/// Sets the keys that read_tokenizer_data() reads, and the chat template unless it is empty.
void write_tokenizer_data(const TokenizerData& data, const std::string& chat_template,
                          tensor::GgufMetadata& metadata);

}  // namespace anybit::model
