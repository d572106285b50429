// Session: generates text tokens with one model and one sequence, and keeps the part of its cache
// that the next prompt begins with. Text belongs to text_stream.h, conversations to chat.h.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "anybit/base/progress.h"
#include "anybit/base/result.h"
#include "anybit/engine/sequence_model.h"
#include "anybit/kernel/sampling/sampler.h"

namespace anybit::engine {

struct GenerateOptions {
  kernel::SamplingOptions sampling;
  int64_t max_new_tokens = -1;         // -1: until a stop id or the end of the context.
  std::vector<int32_t> stop_ids;       // Each ends the generation and is not part of it.
  int64_t prefill_chunk_tokens = 512;  // Prompt tokens in one forward pass.
  ProgressSink progress;               // Of the prompt.
};

/// Why a generation ended.
enum class StopReason : uint8_t {
  kStopId,       // The model chose a stop id.
  kMaxTokens,    // max_new_tokens were made.
  kContextFull,  // The sequence fills the model's capacity.
  kCancelled,    // The caller's sink returned false.
};

/// "stop_id", "max_tokens", "context_full", "cancelled".
std::string_view name(StopReason reason);

/// Counts and wall-clock times of one generation.
struct GenerateStatistics {
  int64_t num_prompt_tokens = 0;
  int64_t num_reused_tokens = 0;  // Of the prompt, found in the cache.
  int64_t num_decode_passes = 0;  // Forward passes over one generated token.
  double prefill_seconds = 0;     // The rest of the prompt.
  double decode_seconds = 0;      // Choosing tokens and the passes over them.

  /// Tokens computed a second; 0 if there were none.
  double prefill_tokens_per_s() const;
  double decode_tokens_per_s() const;
};

struct Generation {
  std::vector<int32_t> tokens;  // What was generated, without a stop id.
  StopReason stop_reason = StopReason::kMaxTokens;
  GenerateStatistics statistics;
};

/// Called with each token as it is chosen, on the generating thread; false stops after it.
/// An empty function is allowed and means nobody listens.
using TokenSink = std::function<bool(int32_t)>;

/// One sequence of one model.
class Session {
 public:
  /// `model` must outlive the session, and belongs to it alone until then. Effects: empties it.
  explicit Session(SequenceModel& model);

  /// Continues `prompt`, the whole sequence from its first token. What the cache already holds of
  /// it is not computed again; all but the last prompt token may come from there.
  /// The result does not depend on what was reused if the model's forward pass gives a token the
  /// same logits alone and among others.
  /// Errors: kInvalidArgument for an empty prompt, one longer than the context, an id
  /// outside the vocabulary, or options out of range; otherwise the model's and the sampler's. The
  /// session stays usable after an error.
  Result<Generation> generate(std::span<const int32_t> prompt, const GenerateOptions& options,
                              const TokenSink& sink = {});

  /// The tokens the cache holds: the start of the last prompt and its generation.
  std::span<const int32_t> cached_tokens() const { return cached_; }

  /// Forgets everything.
  void clear();

  const SequenceModel& model() const { return model_; }

 private:
  Status check(std::span<const int32_t> prompt, const GenerateOptions& options) const;
  int64_t keep_common_prefix(std::span<const int32_t> prompt);
  Status forward(std::span<const int32_t> tokens, std::span<float> logits);
  Status prefill(std::span<const int32_t> tokens, const GenerateOptions& options,
                 std::span<float> logits);
  Status decode(std::span<const int32_t> prompt, const GenerateOptions& options,
                const TokenSink& sink, std::span<float> logits, Generation& generation);

  SequenceModel& model_;
  std::vector<int32_t> cached_;
};

}  // namespace anybit::engine
