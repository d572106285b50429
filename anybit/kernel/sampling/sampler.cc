#include "anybit/kernel/sampling/sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string_view>
#include <unordered_map>

namespace anybit::kernel {
namespace {

/// Most probable first; of equals the lesser id.
constexpr auto kIsMoreProbable = [](const auto& a, const auto& b) {
  return a.logit > b.logit || (a.logit == b.logit && a.id < b.id);
};

Status check_range(std::string_view option, double value, bool is_in_range,
                   std::string_view range) {
  if (is_in_range) return {};
  return fail(ErrorCode::kInvalidArgument, "sampling option {} is {}, expected {}", option, value,
              range);
}

}  // namespace

SamplingOptions SamplingOptions::greedy() {
  SamplingOptions options;
  options.temperature = 0;
  return options;
}

Status validate(const SamplingOptions& o) {
  ANYBIT_TRY(check_range("repetition_penalty", o.repetition_penalty,
                         std::isfinite(o.repetition_penalty) && o.repetition_penalty > 0,
                         "a number greater than 0"));
  ANYBIT_TRY(check_range("frequency_penalty", o.frequency_penalty,
                         std::isfinite(o.frequency_penalty), "a finite number"));
  ANYBIT_TRY(check_range("presence_penalty", o.presence_penalty, std::isfinite(o.presence_penalty),
                         "a finite number"));
  ANYBIT_TRY(check_range("penalty_window", static_cast<double>(o.penalty_window),
                         o.penalty_window >= -1, "a number of tokens, or -1 for all"));
  ANYBIT_TRY(check_range("top_k", static_cast<double>(o.top_k), o.top_k >= 0,
                         "a number of tokens, or 0 for all"));
  ANYBIT_TRY(
      check_range("top_p", o.top_p, o.top_p > 0 && o.top_p <= 1, "greater than 0 and at most 1"));
  ANYBIT_TRY(check_range("min_p", o.min_p, o.min_p >= 0 && o.min_p <= 1, "from 0 to 1"));
  return check_range("temperature", o.temperature,
                     std::isfinite(o.temperature) && o.temperature >= 0, "0 (greedy) or greater");
}

Result<int32_t> greedy_token(std::span<const float> logits) {
  int64_t best = -1;
  for (int64_t id = 0; id < static_cast<int64_t>(logits.size()); ++id) {
    if (!std::isnan(logits[id]) && (best < 0 || logits[id] > logits[best])) best = id;
  }
  if (best < 0) {
    return fail(ErrorCode::kCorruptData, "none of the {} logits is a number", logits.size());
  }
  return static_cast<int32_t>(best);
}

Result<Sampler> Sampler::create(const SamplingOptions& options) {
  ANYBIT_TRY(validate(options));
  return Sampler(options);
}

Result<int32_t> Sampler::sample(std::span<const float> logits, std::span<const int32_t> history) {
  ANYBIT_TRY(collect(logits));
  penalize(history);
  if (options_.temperature == 0) {
    return std::min_element(candidates_.begin(), candidates_.end(), kIsMoreProbable)->id;
  }
  keep_top_k();
  keep_top_p();
  keep_min_p();
  return draw();
}

Status Sampler::collect(std::span<const float> logits) {
  candidates_.clear();
  is_sorted_ = false;
  bool is_any_finite = false;
  for (size_t id = 0; id < logits.size(); ++id) {
    const float logit = logits[id];
    if (std::isnan(logit) || logit == std::numeric_limits<float>::infinity()) {
      return fail(ErrorCode::kCorruptData,
                  "logit of token {} is {}, expected a number below "
                  "infinity: the model's weights or activations overflow",
                  id, logit);
    }
    is_any_finite = is_any_finite || std::isfinite(logit);
    candidates_.push_back({logit, static_cast<int32_t>(id)});
  }
  if (is_any_finite) return {};
  return fail(ErrorCode::kCorruptData, "none of the {} logits is finite", logits.size());
}

void Sampler::penalize(std::span<const int32_t> history) {
  const bool has_penalty = options_.repetition_penalty != 1 || options_.frequency_penalty != 0 ||
                           options_.presence_penalty != 0;
  if (!has_penalty || options_.penalty_window == 0) return;
  const auto length = static_cast<int64_t>(history.size());
  const bool is_windowed = options_.penalty_window > 0 && options_.penalty_window < length;
  std::unordered_map<int32_t, int64_t> counts;
  for (const int32_t id : is_windowed ? history.last(options_.penalty_window) : history) {
    if (id >= 0 && id < static_cast<int64_t>(candidates_.size())) ++counts[id];
  }
  constexpr float kLowest = std::numeric_limits<float>::lowest();
  for (const auto& [id, count] : counts) {
    float& logit = candidates_[id].logit;
    if (!std::isfinite(logit)) continue;
    logit = logit > 0 ? logit / options_.repetition_penalty : logit * options_.repetition_penalty;
    logit -= static_cast<float>(count) * options_.frequency_penalty + options_.presence_penalty;
    logit = std::clamp(logit, kLowest, -kLowest);  // Extreme penalties must not make infinities.
  }
}

void Sampler::keep_top_k() {
  if (options_.top_k == 0 || options_.top_k >= static_cast<int64_t>(candidates_.size())) return;
  std::partial_sort(candidates_.begin(), candidates_.begin() + options_.top_k, candidates_.end(),
                    kIsMoreProbable);
  candidates_.resize(options_.top_k);
  is_sorted_ = true;
}

void Sampler::keep_top_p() {
  if (options_.top_p >= 1) return;
  const float largest =
      std::min_element(candidates_.begin(), candidates_.end(), kIsMoreProbable)->logit;
  double total = 0;
  for (const Candidate& candidate : candidates_)
    total += std::exp(double{candidate.logit} - largest);
  // Sorted a part at a time: the kept ones are few among a large vocabulary.
  const double wanted = total * options_.top_p;
  const auto size = static_cast<int64_t>(candidates_.size());
  int64_t num_sorted = is_sorted_ ? size : 0;
  double reached = 0;
  int64_t kept = 0;
  while (kept < size && (kept == 0 || reached < wanted)) {
    if (kept == num_sorted) {
      num_sorted = std::min(size, std::max<int64_t>(256, 4 * num_sorted));
      std::partial_sort(candidates_.begin() + kept, candidates_.begin() + num_sorted,
                        candidates_.end(), kIsMoreProbable);
    }
    reached += std::exp(double{candidates_[kept].logit} - largest);
    ++kept;
  }
  candidates_.resize(kept);
  is_sorted_ = true;
}

void Sampler::keep_min_p() {
  if (options_.min_p <= 0) return;
  const float largest =
      std::min_element(candidates_.begin(), candidates_.end(), kIsMoreProbable)->logit;
  const double least = largest + std::log(double{options_.min_p});
  std::erase_if(candidates_, [&](const Candidate& candidate) { return candidate.logit < least; });
}

int32_t Sampler::draw() {
  // Without top-k and top-p candidates are in the order of ids: any fixed order will do.
  const float largest =
      std::min_element(candidates_.begin(), candidates_.end(), kIsMoreProbable)->logit;
  const auto weight = [&](const Candidate& candidate) {
    return std::exp((double{candidate.logit} - largest) / options_.temperature);
  };
  double total = 0;
  for (const Candidate& candidate : candidates_) total += weight(candidate);
  const double target = random_.uniform(num_draws_++) * total;
  double passed = 0;
  int32_t chosen = candidates_.front().id;
  for (const Candidate& candidate : candidates_) {
    const double own = weight(candidate);
    if (own > 0) chosen = candidate.id;  // The last possible one, should rounding pass the end.
    passed += own;
    if (target < passed) break;
  }
  return chosen;
}

}  // namespace anybit::kernel
