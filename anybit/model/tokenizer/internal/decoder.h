// Decoder: the steps that turn the spellings of tokens back into text.
#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "anybit/base/result.h"
#include "anybit/model/tokenizer/internal/normalizer.h"
#include "anybit/model/tokenizer/internal/pre_tokenizer.h"

namespace anybit::model::internal {

/// A token's spelling on its way to text.
struct TokenText {
  std::string text;
  bool is_verbatim;  // Steps that work on spellings leave it alone.
};

/// Bytes for characters of the byte-level alphabet, and all tokens into one.
struct ByteLevelDecodeStep {};

/// "<0x0A>" to the byte.
struct ByteFallbackStep {};

/// All tokens into one.
struct FuseStep {};

/// Removes up to `start` and `stop` times `character` from the ends of every token.
struct StripTokenStep {
  std::string character;
  int64_t start;
  int64_t stop;
};

/// Spaces for `replacement`; nothing for those of the first token if `drop_first`.
struct MetaspaceDecodeStep {
  std::string replacement;
  bool drop_first;
};

using DecoderStep = std::variant<ByteLevelDecodeStep, ByteFallbackStep, FuseStep, ReplaceStep,
                                 StripTokenStep, MetaspaceDecodeStep>;

/// Runs the steps in order and concatenates. In the middle of a text, nothing is dropped at its
/// start.
/// Errors: those of Regex::find_all().
Result<std::string> run_decoder(const std::vector<DecoderStep>& steps,
                                std::vector<TokenText> tokens, bool in_middle);

}  // namespace anybit::model::internal
