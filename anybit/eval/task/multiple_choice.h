// Multiple-choice tasks: each item is scored by the likelihood a model gives to each choice.
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

/// One question. choice i is the pair contexts[i] (given) and continuations[i] (scored); most
/// tasks have the same context everywhere, winogrande the same continuation.
struct ChoiceItem {
  std::vector<std::string> contexts;
  std::vector<std::string> continuations;
  int answer = 0;  // Index of the right choice.
};

/// One row of the table of tasks.
struct TaskFormat {
  std::string_view name;         // "arc_easy"
  std::string_view description;  // Prompt and file format, for help texts.
  bool headline_is_normalized;   // Which accuracy the literature quotes.
  /// Parses the data file's text. Errors: kCorruptData naming line and field.
  Result<std::vector<ChoiceItem>> (*parse)(std::string_view text, std::string_view file_name);
};

/// hellaswag, arc_easy, arc_challenge, piqa, winogrande, boolq.
std::span<const TaskFormat> task_formats();

/// The task of that name. Errors: kNotFound listing the names.
Result<const TaskFormat*> find_task(std::string_view name);

struct TaskOptions {
  int64_t limit = 0;  // First items only; 0: all.
  ProgressSink progress;
};

/// Fractions of items, with binomial standard errors.
struct TaskResult {
  int64_t items = 0;
  double accuracy = 0;  // The choice of greatest total log-likelihood is right.
  double accuracy_stderr = 0;
  double accuracy_normalized = 0;  // Log-likelihood per byte of the continuation.
  double accuracy_normalized_stderr = 0;
};

/// Runs the items. The tokens of a continuation are those that encoding context + continuation
/// yields behind the tokens of the context alone. A context that does not fit loses its beginning.
/// Errors: the model's; kInvalidArgument if there is no item.
Result<TaskResult> run_task(const Scorer& model, const TextEncoder& encoder,
                            std::span<const ChoiceItem> items, const TaskOptions& options);

}  // namespace anybit::eval
