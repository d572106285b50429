// Perplexity over a text, and the distance of a model's predictions from a reference model's.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "anybit/base/progress.h"
#include "anybit/base/result.h"
#include "anybit/eval/scorer.h"

namespace anybit::eval {

struct PerplexityOptions {
  int64_t window = 1024;    // Tokens of context that each window starts anew with.
  int64_t max_windows = 0;  // Stop after so many; 0: all.
  ProgressSink progress;
};

/// Means over all predicted tokens; logarithms are natural.
struct PerplexityResult {
  double nll = 0;
  double ppl = 0;      // exp(nll)
  int64_t tokens = 0;  // Predicted.
  int64_t windows = 0;
  double standard_error = 0;  // Of nll, tokens taken as independent.
  // Only with a reference: KL(reference || model) of each position's distribution.
  bool has_reference = false;
  double kld_mean = 0;
  double kld_p99 = 0;         // The 99th percentile over positions.
  double top1_agreement = 0;  // Fraction of positions whose most probable token is the same.
};

/// The ids of a text for perplexity: each document encoded behind the beginning-of-sequence token,
/// concatenated. Documents are separated by lines that are exactly `separator`; empty: one
/// document. Errors: the encoder's.
Result<std::vector<int32_t>> encode_documents(const TextEncoder& encoder, std::string_view text,
                                              std::string_view separator);

/// Cross-entropy over non-overlapping windows: window i predicts ids [i*W + 1, i*W + W] from the
/// W ids before each, W = min(options.window, model.max_tokens). A last window of fewer than W
/// predictions is left out, unless it is the only one. Log-probabilities and sums are in double.
/// reference: null, or a model with the same vocabulary.
/// Errors: kInvalidArgument if there are fewer than 2 ids or the vocabularies differ;
///   kCorruptData if a model's logits are not finite.
Result<PerplexityResult> perplexity(const Scorer& model, std::span<const int32_t> ids,
                                    const Scorer* reference, const PerplexityOptions& options);

}  // namespace anybit::eval
