// Sampler: chooses the next token from a row of logits.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "anybit/base/philox.h"
#include "anybit/base/result.h"

namespace anybit::kernel {

/// The steps are taken in this order, that of llama.cpp's default chain: penalties, top-k, top-p,
/// min-p, temperature, draw. (Hugging Face divides by the temperature before top-k and top-p.)
struct SamplingOptions {
  float repetition_penalty = 1;  // > 0. Logits of recent tokens: divided if > 0, else multiplied.
  float frequency_penalty = 0;   // Subtracted once for each time a token occurs recently.
  float presence_penalty = 0;    // Subtracted once if a token occurs recently.
  int64_t penalty_window = 64;   // Recent: among the last so many; 0: none; -1: all of the history.
  int64_t top_k = 40;            // Keeps the k largest; 0: all.
  float top_p = 0.95f;           // Keeps the fewest largest whose probabilities reach p; 1: all.
  float min_p = 0.05f;           // Keeps those at least p times as probable as the largest; 0: all.
  float temperature = 0.8f;      // 0: greedy, the largest logit after penalties.
  uint64_t seed = 0;

  /// The largest logit, without penalties.
  static SamplingOptions greedy();
};

/// Errors: kInvalidArgument naming the option, its value and its range.
Status validate(const SamplingOptions& options);

/// The id of the largest logit; of equal ones the least id. NaN is never chosen.
/// Errors: kCorruptData if no logit is a number or the row is empty.
Result<int32_t> greedy_token(std::span<const float> logits);  // [vocab_size]

/// A stream of draws. Draw i depends on the seed, i, the logits and the history: nothing else.
class Sampler {
 public:
  /// Errors: those of validate().
  static Result<Sampler> create(const SamplingOptions& options);

  /// Chooses a token. `history` holds the tokens so far, prompt and output, oldest first; ids
  /// outside [0, vocab_size) in it are ignored. Equal logits count as if the lesser id were larger.
  /// Errors: kCorruptData if a logit is NaN or +inf, or none is finite.
  Result<int32_t> sample(std::span<const float> logits, std::span<const int32_t> history);

  const SamplingOptions& options() const { return options_; }

 private:
  struct Candidate {
    float logit;
    int32_t id;
  };

  explicit Sampler(const SamplingOptions& options) : options_(options), random_(options.seed) {}

  Status collect(std::span<const float> logits);
  void penalize(std::span<const int32_t> history);
  void keep_top_k();
  void keep_top_p();
  void keep_min_p();
  int32_t draw();

  SamplingOptions options_;
  Philox random_;
  uint64_t num_draws_ = 0;
  bool is_sorted_ = false;             // candidates_ fall.
  std::vector<Candidate> candidates_;  // By id after collect(); kept between calls for its memory.
};

}  // namespace anybit::kernel
