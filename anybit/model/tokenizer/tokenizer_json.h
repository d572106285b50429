// Writing tokenizer.json and tokenizer_config.json for a tokenizer that came from GGUF metadata.
#pragma once

#include <string>

#include "anybit/base/result.h"
#include "anybit/model/tokenizer/tokenizer_data.h"

namespace anybit::model {

/// The text of a tokenizer.json that encodes as Tokenizer::from_gguf_data() does. A "llama"
/// vocabulary gets the merges that its scores imply: every split of a token into two tokens, in the
/// order of the scores.
/// Errors: kUnsupported for another model or pre-tokenizer than from_gguf_data() knows;
/// kCorruptData for text that is not UTF-8, or an id outside the vocabulary.
Result<std::string> tokenizer_json(const TokenizerData& data);

/// The text of a tokenizer_config.json: special tokens, what is added around a text, and the chat
/// template (may be empty).
/// Errors: kCorruptData as above.
Result<std::string> tokenizer_config_json(const TokenizerData& data,
                                          const std::string& chat_template);

}  // namespace anybit::model
