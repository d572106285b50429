#include "anybit/engine/session.h"

#include <algorithm>
#include <chrono>

namespace anybit::engine {
namespace {

class Stopwatch {
 public:
  double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

double rate(int64_t count, double seconds) {
  return count > 0 && seconds > 0 ? static_cast<double>(count) / seconds : 0;
}

struct StopReasonName {
  StopReason reason;
  std::string_view name;
};

constexpr StopReasonName kStopReasonNames[] = {{StopReason::kStopId, "stop_id"},
                                               {StopReason::kMaxTokens, "max_tokens"},
                                               {StopReason::kContextFull, "context_full"},
                                               {StopReason::kCancelled, "cancelled"}};

}  // namespace

std::string_view name(StopReason reason) {
  for (const StopReasonName& row : kStopReasonNames) {
    if (row.reason == reason) return row.name;
  }
  return "unknown";
}

double GenerateStatistics::prefill_tokens_per_s() const {
  return rate(num_prompt_tokens - num_reused_tokens, prefill_seconds);
}

double GenerateStatistics::decode_tokens_per_s() const {
  return rate(num_decode_passes, decode_seconds);
}

Session::Session(SequenceModel& model) : model_(model) { clear(); }

void Session::clear() {
  cached_.clear();
  model_.truncate(0);
}

Result<Generation> Session::generate(std::span<const int32_t> prompt,
                                     const GenerateOptions& options, const TokenSink& sink) {
  ANYBIT_TRY(check(prompt, options));
  Generation generation;
  generation.statistics.num_prompt_tokens = std::ssize(prompt);
  generation.statistics.num_reused_tokens = keep_common_prefix(prompt);
  std::vector<float> logits(model_.vocab_size());
  const Stopwatch stopwatch;
  ANYBIT_TRY(prefill(prompt.subspan(cached_.size()), options, logits));
  generation.statistics.prefill_seconds = stopwatch.seconds();
  ANYBIT_TRY(decode(prompt, options, sink, logits, generation));
  return generation;
}

Status Session::check(std::span<const int32_t> prompt, const GenerateOptions& options) const {
  if (prompt.empty()) {
    return fail(ErrorCode::kInvalidArgument, "the prompt has no tokens, expected at least 1");
  }
  if (std::ssize(prompt) > model_.capacity()) {
    return fail(ErrorCode::kInvalidArgument,
                "the prompt has {} tokens, expected at most {}, the length of the context",
                prompt.size(), model_.capacity());
  }
  for (size_t i = 0; i < prompt.size(); ++i) {
    if (prompt[i] < 0 || prompt[i] >= model_.vocab_size()) {
      return fail(ErrorCode::kInvalidArgument, "token {} of the prompt is id {}, expected 0 to {}",
                  i, prompt[i], model_.vocab_size() - 1);
    }
  }
  if (options.max_new_tokens < -1) {
    return fail(ErrorCode::kInvalidArgument,
                "max_new_tokens is {}, expected a number of tokens, or -1 for no limit",
                options.max_new_tokens);
  }
  if (options.prefill_chunk_tokens < 1) {
    return fail(ErrorCode::kInvalidArgument, "prefill_chunk_tokens is {}, expected at least 1",
                options.prefill_chunk_tokens);
  }
  return kernel::validate(options.sampling);
}

int64_t Session::keep_common_prefix(std::span<const int32_t> prompt) {
  const auto [in_cache, in_prompt] =
      std::mismatch(cached_.begin(), cached_.end(), prompt.begin(), prompt.end());
  // The last prompt token is computed in any case: its logits are not kept.
  const int64_t kept = std::min(in_cache - cached_.begin(), std::ssize(prompt) - 1);
  cached_.resize(kept);
  model_.truncate(kept);
  return kept;
}

Status Session::forward(std::span<const int32_t> tokens, std::span<float> logits) {
  Status status = model_.forward(tokens, logits);
  if (!status) {
    model_.truncate(std::ssize(cached_));
    return status;
  }
  cached_.insert(cached_.end(), tokens.begin(), tokens.end());
  return {};
}

Status Session::prefill(std::span<const int32_t> tokens, const GenerateOptions& options,
                        std::span<float> logits) {
  const int64_t total = std::ssize(tokens);
  const auto report = [&] {
    if (!options.progress) return;
    options.progress({"prompt", total - std::ssize(tokens), total, "tokens", ""});
  };
  report();
  while (!tokens.empty()) {
    const auto chunk_tokens = static_cast<size_t>(options.prefill_chunk_tokens);
    const size_t count = std::min(tokens.size(), chunk_tokens);
    const bool is_last = count == tokens.size();
    ANYBIT_TRY(forward(tokens.first(count), is_last ? logits : std::span<float>()));
    tokens = tokens.subspan(count);
    report();
  }
  return {};
}

Status Session::decode(std::span<const int32_t> prompt, const GenerateOptions& options,
                       const TokenSink& sink, std::span<float> logits, Generation& generation) {
  ANYBIT_ASSIGN(kernel::Sampler sampler, kernel::Sampler::create(options.sampling));
  const Stopwatch stopwatch;
  std::vector<int32_t> history(prompt.begin(), prompt.end());
  generation.stop_reason = StopReason::kMaxTokens;
  while (std::ssize(generation.tokens) != options.max_new_tokens) {
    if (std::ssize(history) > std::ssize(cached_)) {
      if (model_.length() >= model_.capacity()) {
        generation.stop_reason = StopReason::kContextFull;
        break;
      }
      ANYBIT_TRY(forward(std::span(history).last(1), logits));
      ++generation.statistics.num_decode_passes;
    }
    ANYBIT_ASSIGN(const int32_t token, sampler.sample(logits, history));
    if (std::ranges::find(options.stop_ids, token) != options.stop_ids.end()) {
      generation.stop_reason = StopReason::kStopId;
      break;
    }
    history.push_back(token);
    generation.tokens.push_back(token);
    if (sink && !sink(token)) {
      generation.stop_reason = StopReason::kCancelled;
      break;
    }
  }
  generation.statistics.decode_seconds = stopwatch.seconds();
  return {};
}

}  // namespace anybit::engine
