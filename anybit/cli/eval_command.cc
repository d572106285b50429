#include "anybit/cli/eval_command.h"

#include <fmt/core.h>

#include <cmath>
#include <numbers>

#include "anybit/base/file.h"
#include "anybit/base/json.h"
#include "anybit/cli/command.h"
#include "anybit/cli/loaded_model.h"
#include "anybit/cli/progress_bar.h"
#include "anybit/eval/perplexity.h"
#include "anybit/eval/task/multiple_choice.h"

namespace anybit::cli {
namespace {

constexpr std::string_view kExamples =
    "  anybit eval out --text wiki.txt --window 512 --reference models/wiki-6m\n"
    "  anybit eval models/wiki-28m --text wiki-valid.txt --separator '<|endoftext|>'\n"
    "  anybit eval model.gguf --task hellaswag --data hellaswag_val.txt --limit 200 --json";

struct EvalArguments {
  std::string model, text, separator, reference, task, data;
  int64_t window = 1024, max_windows = 0, limit = 0;
  CommonOptions common;
};

// Bytes of text that the scored tokens stand for.
int64_t scored_bytes(const model::Tokenizer& tokenizer, std::span<const int32_t> ids,
                     int64_t num_scored) {
  int64_t bytes = 0;
  for (const int32_t id : ids.subspan(1, static_cast<size_t>(num_scored))) {
    if (!tokenizer.is_special(id)) bytes += std::ssize(tokenizer.token_bytes(id));
  }
  return bytes;
}

void print_perplexity(const eval::PerplexityResult& result, double bits_per_byte, bool json) {
  if (json) {
    OrderedJson object = {{"nll", result.nll},         {"ppl", result.ppl},
                          {"tokens", result.tokens},   {"bits_per_byte", bits_per_byte},
                          {"windows", result.windows}, {"nll_stderr", result.standard_error}};
    if (result.has_reference) {
      object["kld_mean"] = result.kld_mean;
      object["kld_p99"] = result.kld_p99;
      object["top1_agreement"] = result.top1_agreement;
    }
    fmt::print("{}\n", object.dump());
    return;
  }
  fmt::print("perplexity      {:.4f} +- {:.4f}\n", result.ppl, result.ppl * result.standard_error);
  fmt::print("nll             {:.6f} nats a token\n", result.nll);
  fmt::print("bits per byte   {:.4f}\n", bits_per_byte);
  fmt::print("tokens          {} in {} windows\n", result.tokens, result.windows);
  if (!result.has_reference) return;
  fmt::print("KL divergence   {:.6f} mean, {:.6f} 99th percentile\n", result.kld_mean,
             result.kld_p99);
  fmt::print("top-1 agreement {:.2f} %\n", 100 * result.top1_agreement);
}

Status measure_perplexity(const EvalArguments& arguments, const LoadedModel& loaded,
                          const ProgressSink& progress) {
  ANYBIT_ASSIGN(const std::string text, read_text_file(arguments.text));
  ANYBIT_ASSIGN(const std::vector<int32_t> ids,
                eval::encode_documents(encoder_for(loaded), text, arguments.separator));
  std::optional<LoadedModel> reference;
  std::optional<eval::Scorer> reference_scorer;
  if (!arguments.reference.empty()) {
    ANYBIT_ASSIGN(reference,
                  load_model(arguments.reference, threads_of(arguments.common), progress));
    reference_scorer = scorer_for(*reference);
  }
  const eval::PerplexityOptions options{
      .window = arguments.window, .max_windows = arguments.max_windows, .progress = progress};
  ANYBIT_ASSIGN(const eval::PerplexityResult result,
                eval::perplexity(scorer_for(loaded), ids,
                                 reference_scorer ? &*reference_scorer : nullptr, options));
  const int64_t bytes = scored_bytes(*loaded.tokenizer, ids, result.tokens);
  const double bits = result.nll * static_cast<double>(result.tokens) / std::numbers::ln2;
  print_perplexity(result, bytes > 0 ? bits / static_cast<double>(bytes) : 0,
                   arguments.common.json);
  return {};
}

Status measure_task(const EvalArguments& arguments, const LoadedModel& loaded,
                    const ProgressSink& progress) {
  ANYBIT_ASSIGN(const eval::TaskFormat* task, eval::find_task(arguments.task));
  ANYBIT_ASSIGN(const std::string text, read_text_file(arguments.data));
  ANYBIT_ASSIGN(const auto items, task->parse(text, arguments.data));
  ANYBIT_ASSIGN(const eval::TaskResult result,
                eval::run_task(scorer_for(loaded), encoder_for(loaded), items,
                               {.limit = arguments.limit, .progress = progress}));
  if (arguments.common.json) {
    const OrderedJson object = {{"task", task->name},
                                {"items", result.items},
                                {"accuracy", result.accuracy},
                                {"accuracy_stderr", result.accuracy_stderr},
                                {"accuracy_normalized", result.accuracy_normalized},
                                {"accuracy_normalized_stderr", result.accuracy_normalized_stderr}};
    fmt::print("{}\n", object.dump());
    return {};
  }
  fmt::print("{}: {} items\n", task->name, result.items);
  fmt::print("accuracy            {:.4f} +- {:.4f}{}\n", result.accuracy, result.accuracy_stderr,
             task->headline_is_normalized ? "" : "  (the one usually quoted)");
  fmt::print("accuracy_normalized {:.4f} +- {:.4f}{}\n", result.accuracy_normalized,
             result.accuracy_normalized_stderr,
             task->headline_is_normalized ? "  (the one usually quoted)" : "");
  return {};
}

// Options that go together; no option is without effect.
Status check(const EvalArguments& arguments) {
  const bool has_text = !arguments.text.empty(), has_task = !arguments.task.empty();
  if (has_text == has_task) {
    return fail(ErrorCode::kInvalidArgument, "expected one of --text and --task, found {}",
                has_text ? "both" : "neither");
  }
  if (has_text && (!arguments.data.empty() || arguments.limit != 0)) {
    return fail(ErrorCode::kInvalidArgument, "--data and --limit belong to --task");
  }
  if (has_text) return {};
  ANYBIT_TRY(eval::find_task(arguments.task));
  if (arguments.data.empty()) {
    return fail(ErrorCode::kInvalidArgument, "--task {} needs --data FILE", arguments.task);
  }
  if (!arguments.reference.empty() || !arguments.separator.empty() || arguments.max_windows != 0) {
    return fail(ErrorCode::kInvalidArgument,
                "--reference, --separator and --max-windows belong to --text");
  }
  return {};
}

Status evaluate(const EvalArguments& arguments) {
  const ProgressSink progress = progress_bar();
  ANYBIT_ASSIGN(const LoadedModel loaded,
                load_model(arguments.model, threads_of(arguments.common), progress));
  return !arguments.text.empty() ? measure_perplexity(arguments, loaded, progress)
                                 : measure_task(arguments, loaded, progress);
}

}  // namespace

int eval_command(int argc, const char* const* argv) {
  EvalArguments arguments;
  std::string tasks = "Multiple-choice task:";
  for (const eval::TaskFormat& task : eval::task_formats()) tasks += fmt::format(" {}", task.name);
  Arguments parser("eval",
                   "Measures a model: perplexity over a text, its divergence from a reference "
                   "model, or the accuracy of a task.",
                   kExamples);
  parser.positional("MODEL", &arguments.model, kModelHelp);
  parser.option("--text", &arguments.text, "Text file to measure perplexity over");
  parser.option("--separator", &arguments.separator,
                "Line that divides the text into documents; each starts anew");
  parser.option("--window", &arguments.window, "Tokens of context in each window");
  parser.option("--max-windows", &arguments.max_windows, "Stop after so many windows; 0: all");
  parser.option("--reference", &arguments.reference,
                "Model to compare each prediction with (KL divergence, top-1 agreement)");
  parser.option("--task", &arguments.task, tasks);
  parser.option("--data", &arguments.data, "The task's data file");
  parser.option("--limit", &arguments.limit, "First items only; 0: all");
  parser.common(&arguments.common);
  if (const auto exit_code = parser.parse(argc, argv)) return *exit_code;
  if (const Status status = check(arguments); !status) return misuse("eval", status.error());
  return finish("eval", evaluate(arguments));
}

}  // namespace anybit::cli
