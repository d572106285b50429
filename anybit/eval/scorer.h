// What evaluation asks of a language model: the logits after each token of a text. Anything that
// answers can be measured; a test uses a table.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "anybit/base/result.h"

namespace anybit::eval {

/// Called for consecutive positions in order: logits[vocab_size] of the token that follows
/// tokens[0 .. position]. The span is valid during the call.
using LogitsVisitor = std::function<Status(int64_t position, std::span<const float> logits)>;

/// A model as evaluation sees it.
struct Scorer {
  int64_t vocab_size = 0;
  int64_t max_tokens = 0;  // Longest sequence score() takes.

  /// Runs `tokens` from an empty context and visits positions [first, tokens.size()).
  /// Errors: the model's, or the visitor's.
  std::function<Status(std::span<const int32_t> tokens, int64_t first, const LogitsVisitor& visit)>
      score;
};

/// A tokenizer as evaluation sees it.
struct TextEncoder {
  /// Ids of `text`, preceded by the model's beginning-of-sequence token if `add_special`.
  std::function<Result<std::vector<int32_t>>(std::string_view text, bool add_special)> encode;
};

}  // namespace anybit::eval
