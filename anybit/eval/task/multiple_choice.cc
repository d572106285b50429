#include "anybit/eval/task/multiple_choice.h"

#include <algorithm>
#include <cmath>

#include "anybit/base/check.h"
#include "anybit/eval/task/task_data.h"
#include "anybit/kernel/softmax/softmax.h"

namespace anybit::eval {
namespace {

constexpr TaskFormat kTasks[] = {
    {"hellaswag", "6 lines an item: context, index of the right ending, 4 endings", true,
     parse_hellaswag},
    {"arc_easy", "JSON lines: question, choices, answerKey; 'Question: ...\\nAnswer:'", true,
     parse_arc},
    {"arc_challenge", "as arc_easy", true, parse_arc},
    {"piqa", "JSON lines: goal, sol1, sol2, label; 'Question: ...\\nAnswer:'", true, parse_piqa},
    {"winogrande", "JSON lines: sentence with _, option1, option2, answer; scores what follows _",
     false, parse_winogrande},
    {"boolq", "JSON lines: passage, question, answer or label; '...?\\nAnswer:' yes or no", false,
     parse_boolq},
};

// Total log-likelihood of the tokens of `sequence` from index `first` on.
Result<double> log_likelihood(const Scorer& model, std::span<const int32_t> sequence,
                              int64_t first) {
  double sum = 0;
  ANYBIT_TRY(model.score(sequence.first(sequence.size() - 1), first - 1,
                         [&](int64_t position, std::span<const float> logits) -> Status {
                           const int32_t target = sequence[static_cast<size_t>(position) + 1];
                           sum -= kernel::negative_log_likelihood(logits.data(), model.vocab_size,
                                                                  target);
                           return {};
                         }));
  if (std::isnan(sum)) return fail(ErrorCode::kCorruptData, "the model's logits are not finite");
  return sum;
}

Result<double> score_choice(const Scorer& model, const TextEncoder& encoder,
                            const std::string& context, const std::string& continuation) {
  ANYBIT_ASSIGN(const std::vector<int32_t> context_ids, encoder.encode(context, true));
  ANYBIT_ASSIGN(const std::vector<int32_t> all_ids, encoder.encode(context + continuation, true));
  std::span<const int32_t> sequence = all_ids;
  auto first = std::min(std::ssize(context_ids), std::ssize(all_ids) - 1);
  first = std::max<int64_t>(first, 1);
  const int64_t excess = std::ssize(sequence) - 1 - model.max_tokens;
  if (excess > 0) {
    if (excess >= first) {
      return fail(ErrorCode::kInvalidArgument,
                  "a continuation of {} tokens does not fit a context of {}",
                  std::ssize(sequence) - first, model.max_tokens);
    }
    sequence = sequence.subspan(static_cast<size_t>(excess));
    first -= excess;
  }
  if (sequence.size() < 2) return 0.0;
  return log_likelihood(model, sequence, std::max<int64_t>(first, 1));
}

double binomial_standard_error(double fraction, int64_t count) {
  return count < 2 ? 0 : std::sqrt(fraction * (1 - fraction) / static_cast<double>(count - 1));
}

}  // namespace

std::span<const TaskFormat> task_formats() { return kTasks; }

Result<const TaskFormat*> find_task(std::string_view name) {
  std::string names;
  for (const TaskFormat& task : kTasks) {
    if (task.name == name) return &task;
    names += names.empty() ? "" : ", ";
    names += task.name;
  }
  return fail(ErrorCode::kNotFound, "no task \"{}\"; there are: {}", name, names);
}

Result<TaskResult> run_task(const Scorer& model, const TextEncoder& encoder,
                            std::span<const ChoiceItem> items, const TaskOptions& options) {
  if (options.limit > 0) {
    items = items.first(std::min(items.size(), static_cast<size_t>(options.limit)));
  }
  if (items.empty()) return fail(ErrorCode::kInvalidArgument, "expected at least one item");
  int64_t right = 0, right_normalized = 0, done = 0;
  for (const ChoiceItem& item : items) {
    std::vector<double> totals, normalized;
    for (size_t i = 0; i < item.continuations.size(); ++i) {
      ANYBIT_ASSIGN(const double total,
                    score_choice(model, encoder, item.contexts[i], item.continuations[i]));
      totals.push_back(total);
      const size_t bytes = std::max<size_t>(1, item.continuations[i].size());
      normalized.push_back(total / static_cast<double>(bytes));
    }
    right += std::ranges::max_element(totals) - totals.begin() == item.answer;
    right_normalized += std::ranges::max_element(normalized) - normalized.begin() == item.answer;
    ++done;
    if (options.progress) {
      const std::string note =
          fmt::format("accuracy {:.3f}", static_cast<double>(right) / static_cast<double>(done));
      options.progress({"task", done, std::ssize(items), "items", note});
    }
  }
  TaskResult result;
  result.items = done;
  result.accuracy = static_cast<double>(right) / static_cast<double>(done);
  result.accuracy_stderr = binomial_standard_error(result.accuracy, done);
  result.accuracy_normalized = static_cast<double>(right_normalized) / static_cast<double>(done);
  result.accuracy_normalized_stderr = binomial_standard_error(result.accuracy_normalized, done);
  return result;
}

}  // namespace anybit::eval
