#include "anybit/eval/perplexity.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "anybit/base/check.h"
#include "anybit/kernel/softmax/softmax.h"

namespace anybit::eval {
namespace {

class Accumulator {
 public:
  Status add_prediction(std::span<const float> logits, int32_t target) {
    const double nll =
        kernel::negative_log_likelihood(logits.data(), static_cast<int64_t>(logits.size()), target);
    if (!std::isfinite(nll)) {
      return fail(ErrorCode::kCorruptData, "the model's logits are not finite at token {}",
                  count_ + 1);
    }
    sum_ += nll;
    squares_ += nll * nll;
    ++count_;
    return {};
  }

  // log_reference: the reference's log-probabilities; logits: the model's.
  void add_divergence(std::span<const float> log_reference, std::span<const float> logits) {
    const auto vocab_size = static_cast<int64_t>(logits.size());
    const double log_sum = kernel::log_sum_exp(logits.data(), vocab_size);
    double divergence = 0;
    for (size_t i = 0; i < logits.size(); ++i) {
      const double p = std::exp(double{log_reference[i]});
      divergence += p * (log_reference[i] - (logits[i] - log_sum));
    }
    divergences_.push_back(static_cast<float>(std::max(divergence, 0.0)));
    agreements_ += std::ranges::max_element(log_reference) - log_reference.begin() ==
                   std::ranges::max_element(logits) - logits.begin();
  }

  PerplexityResult result() {
    PerplexityResult result;
    const auto n = static_cast<double>(count_);
    result.tokens = count_;
    result.nll = sum_ / n;
    result.ppl = std::exp(result.nll);
    const double variance = std::max(0.0, squares_ / n - result.nll * result.nll);
    result.standard_error = std::sqrt(variance / n);
    if (divergences_.empty()) return result;
    result.has_reference = true;
    double total = 0;
    for (const float divergence : divergences_) total += divergence;
    result.kld_mean = total / static_cast<double>(divergences_.size());
    const auto rank = static_cast<ptrdiff_t>(0.99 * static_cast<double>(divergences_.size() - 1));
    std::nth_element(divergences_.begin(), divergences_.begin() + rank, divergences_.end());
    result.kld_p99 = divergences_[static_cast<size_t>(rank)];
    result.top1_agreement =
        static_cast<double>(agreements_) / static_cast<double>(divergences_.size());
    return result;
  }

  double mean() const { return count_ == 0 ? 0 : sum_ / static_cast<double>(count_); }

 private:
  double sum_ = 0, squares_ = 0;
  int64_t count_ = 0, agreements_ = 0;
  std::vector<float> divergences_;
};

// Log-probabilities of every position of one window, by the reference model.
Result<std::vector<float>> window_log_probabilities(const Scorer& reference,
                                                    std::span<const int32_t> window) {
  std::vector<float> all(window.size() * static_cast<size_t>(reference.vocab_size));
  auto status = reference.score(window, 0, [&](int64_t position, std::span<const float> logits) {
    kernel::log_softmax(logits.data(), reference.vocab_size,
                        all.data() + position * reference.vocab_size);
    return Status{};
  });
  if (!status) return with_context(std::move(status).error(), "reference model");
  return all;
}

Status check(const Scorer& model, std::span<const int32_t> ids, const Scorer* reference) {
  if (ids.size() < 2) {
    return fail(ErrorCode::kInvalidArgument,
                "perplexity needs a text of at least 2 tokens, found {}", ids.size());
  }
  if (reference != nullptr && reference->vocab_size != model.vocab_size) {
    return fail(ErrorCode::kInvalidArgument,
                "the reference must have the model's vocabulary of {} tokens, found {}",
                model.vocab_size, reference->vocab_size);
  }
  for (const int32_t id : ids) {
    if (id < 0 || id >= model.vocab_size) {
      return fail(ErrorCode::kInvalidArgument, "token id {} is outside the vocabulary of {}", id,
                  model.vocab_size);
    }
  }
  return {};
}

}  // namespace

Result<std::vector<int32_t>> encode_documents(const TextEncoder& encoder, std::string_view text,
                                              std::string_view separator) {
  std::vector<int32_t> ids;
  const auto append = [&](std::string_view document) -> Status {
    ANYBIT_ASSIGN(const std::vector<int32_t> more, encoder.encode(document, true));
    ids.insert(ids.end(), more.begin(), more.end());
    return {};
  };
  const std::string line = fmt::format("\n{}\n", separator);
  while (!separator.empty()) {
    const size_t found = text.find(line);
    if (found == std::string_view::npos) break;
    ANYBIT_TRY(append(text.substr(0, found)));
    text.remove_prefix(found + line.size());
  }
  if (!text.empty()) ANYBIT_TRY(append(text));
  return ids;
}

Result<PerplexityResult> perplexity(const Scorer& model, std::span<const int32_t> ids,
                                    const Scorer* reference, const PerplexityOptions& options) {
  ANYBIT_TRY(check(model, ids, reference));
  int64_t window = std::min(options.window, model.max_tokens);
  if (reference != nullptr) window = std::min(window, reference->max_tokens);
  if (window < 1) {
    return fail(ErrorCode::kInvalidArgument, "window must be at least 1, found {}", window);
  }
  window = std::min(window, std::ssize(ids) - 1);
  int64_t num_windows = (std::ssize(ids) - 1) / window;
  if (options.max_windows > 0) num_windows = std::min(num_windows, options.max_windows);

  Accumulator sums;
  for (int64_t i = 0; i < num_windows; ++i) {
    const auto inputs = ids.subspan(static_cast<size_t>(i * window), static_cast<size_t>(window));
    const auto targets =
        ids.subspan(static_cast<size_t>(i * window + 1), static_cast<size_t>(window));
    std::vector<float> log_reference;
    if (reference != nullptr) {
      ANYBIT_ASSIGN(log_reference, window_log_probabilities(*reference, inputs));
    }
    ANYBIT_TRY(model.score(inputs, 0, [&](int64_t position, std::span<const float> logits) {
      const auto index = static_cast<size_t>(position);
      if (reference != nullptr) {
        const auto vocab_size = static_cast<size_t>(model.vocab_size);
        sums.add_divergence(std::span(log_reference).subspan(index * vocab_size, vocab_size),
                            logits);
      }
      return sums.add_prediction(logits, targets[index]);
    }));
    if (options.progress) {
      const std::string note = fmt::format("ppl {:.3f}", std::exp(sums.mean()));
      options.progress({"perplexity", (i + 1) * window, num_windows * window, "tokens", note});
    }
  }
  PerplexityResult result = sums.result();
  result.windows = num_windows;
  return result;
}

}  // namespace anybit::eval
