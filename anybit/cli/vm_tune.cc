#include "anybit/cli/vm_tune.h"

#include <fmt/format.h>

#include "anybit/base/json.h"
#include "anybit/base/parallel.h"
#include "anybit/cli/arguments.h"
#include "anybit/cli/command.h"
#include "anybit/cli/progress_bar.h"
#include "anybit/cli/text_table.h"
#include "anybit/kernel/tuning/templates.h"
#include "anybit/vm/tuning/tune.h"

namespace anybit::cli {
namespace {

struct TuneArguments {
  std::string kernel, shape, model = "h100";
  int64_t device = 0, num_candidates = 16, num_shown = 10;
  double budget = 60;
  bool dry_run = false;
  CommonOptions common;
};

double fraction_of_floor(const vm::Estimate& estimate, double microseconds) {
  return microseconds > 0 ? estimate.floor_microseconds / microseconds : 0;
}

OrderedJson to_json(const vm::NamedIntegers& integers) {
  OrderedJson object = OrderedJson::object();
  for (const auto& [name, value] : integers.entries()) object[name] = value;
  return object;
}

void print_json(const OrderedJson& object) {
  fmt::print("{}\n", object.dump(-1, ' ', false, OrderedJson::error_handler_t::replace));
}

/// The kernels that can be tuned, their sizes and axes.
void list_kernels(bool json) {
  OrderedJson kernels = OrderedJson::array();
  for (const vm::KernelTemplate& kernel : kernel::kernel_templates()) {
    OrderedJson axes = OrderedJson::array();
    if (!json) fmt::print("{}: {}\n", kernel.name, kernel.summary);
    if (!json) fmt::print("  sizes {}\n", fmt::join(kernel.size_names, ", "));
    for (const vm::ScheduleAxis& axis : kernel.axes) {
      axes.push_back({{"name", axis.name}, {"values", axis.values}, {"meaning", axis.meaning}});
      if (!json) {
        fmt::print("  {} in {}: {}\n", axis.name, fmt::join(axis.values, ", "), axis.meaning);
      }
    }
    kernels.push_back({{"name", kernel.name},
                       {"summary", kernel.summary},
                       {"sizes", kernel.size_names},
                       {"axes", axes}});
  }
  if (json) print_json({{"kernels", kernels}});
}

void print_ranking(const vm::Ranking& ranking, const vm::KernelTemplate& kernel,
                   const vm::ProblemSizes& sizes, const vm::DeviceModel& device,
                   int64_t num_shown) {
  fmt::print("{} at {} on {}: {} schedules, {} of them legal\n\n", kernel.name, to_string(sizes),
             device.full_name, ranking.num_schedules, ranking.candidates.size());
  TextTable table({{"", Align::kRight},
                   {"schedule"},
                   {"estimated us", Align::kRight},
                   {"of floor", Align::kRight},
                   {"CTAs/SM", Align::kRight},
                   {"waves", Align::kRight},
                   {"limit"}});
  for (size_t i = 0; i < ranking.candidates.size() && i < static_cast<size_t>(num_shown); ++i) {
    const vm::Candidate& candidate = ranking.candidates[i];
    const vm::Estimate& estimate = candidate.estimate;
    table.add_row({std::to_string(i + 1), to_string(candidate.schedule),
                   fmt::format("{:.1f}", estimate.microseconds),
                   fmt::format("{:.0f}%", 100 * fraction_of_floor(estimate, estimate.microseconds)),
                   std::to_string(estimate.ctas_per_sm), fmt::format("{:.1f}", estimate.waves),
                   std::string(estimate.limit)});
  }
  fmt::print("{}", table.text(is_stdout_styled()));
  if (!ranking.pruned.empty()) fmt::print("\nLeft out:\n");
  for (const auto& [reason, pruned] : ranking.pruned) {
    fmt::print("  {:>5}  {}\n", pruned.count, pruned.example);
  }
}

OrderedJson ranking_json(const vm::Ranking& ranking) {
  OrderedJson candidates = OrderedJson::array(), pruned = OrderedJson::array();
  for (const vm::Candidate& candidate : ranking.candidates) {
    candidates.push_back({{"schedule", to_json(candidate.schedule)},
                          {"estimated_us", candidate.estimate.microseconds},
                          {"floor_us", candidate.estimate.floor_microseconds},
                          {"ctas_per_sm", candidate.estimate.ctas_per_sm},
                          {"waves", candidate.estimate.waves},
                          {"limit", candidate.estimate.limit}});
  }
  for (const auto& [reason, left_out] : ranking.pruned) {
    pruned.push_back(
        {{"reason", reason}, {"count", left_out.count}, {"example", left_out.example}});
  }
  return {{"schedules", ranking.num_schedules}, {"candidates", candidates}, {"left_out", pruned}};
}

Status dry_run(const TuneArguments& arguments, const vm::KernelTemplate& kernel,
               const vm::ProblemSizes& sizes) {
  ANYBIT_ASSIGN(const vm::DeviceModel device, vm::find_device_model(arguments.model));
  ANYBIT_ASSIGN(const vm::Ranking ranking, vm::rank_schedules(kernel, sizes, device));
  std::string note;
  const vm::ScheduleTable table = vm::known_schedules(note);
  ANYBIT_ASSIGN(const vm::ChosenSchedule chosen, vm::choose_schedule(kernel, sizes, device, table));
  if (arguments.common.json) {
    OrderedJson object = {{"kernel", kernel.name},
                          {"sizes", to_json(sizes)},
                          {"device", device.name},
                          {"chosen", to_json(chosen.schedule)},
                          {"why", chosen.why}};
    object.update(ranking_json(ranking));
    print_json(object);
    return {};
  }
  print_ranking(ranking, kernel, sizes, device, arguments.num_shown);
  if (!note.empty()) fmt::print("\nNote: {}\n", note);
  fmt::print("\nWithout tuning it runs with {} ({}).\n", to_string(chosen.schedule), chosen.why);
  return {};
}

void print_result(const vm::TuneResult& result, const std::string& path, int64_t num_shown) {
  TextTable table({{"schedule"},
                   {"us", Align::kRight},
                   {"of floor", Align::kRight},
                   {"estimated us", Align::kRight},
                   {"rank", Align::kRight},
                   {"registers", Align::kRight},
                   {"problem"}});
  for (size_t i = 0; i < result.candidates.size() && i < static_cast<size_t>(num_shown); ++i) {
    const vm::TunedCandidate& candidate = result.candidates[i];
    table.add_row({to_string(candidate.schedule),
                   candidate.microseconds > 0 ? fmt::format("{:.1f}", candidate.microseconds) : "-",
                   fmt::format("{:.0f}%",
                               100 * fraction_of_floor(candidate.estimate, candidate.microseconds)),
                   fmt::format("{:.1f}", candidate.estimate.microseconds),
                   std::to_string(candidate.rank + 1), std::to_string(candidate.registers),
                   candidate.problem});
  }
  fmt::print("{}\n{} of {} ranked schedules tried{}; kept in {}: {} at {:.1f} us\n",
             table.text(is_stdout_styled()), result.candidates.size(), result.num_ranked,
             result.is_complete ? "" : ", until the budget was used up", path,
             to_string(result.best.schedule), result.best.microseconds);
}

Status tune_on_device(const TuneArguments& arguments, const vm::KernelTemplate& kernel,
                      const vm::ProblemSizes& sizes) {
  ANYBIT_ASSIGN(const std::filesystem::path path, vm::user_schedule_path());
  // A table that cannot be read is an error before the work, not after it.
  ANYBIT_TRY(vm::load_schedule_table(path));
  ANYBIT_ASSIGN(const vm::cuda::Device device,
                vm::cuda::Device::open(static_cast<int>(arguments.device)));
  ANYBIT_ASSIGN(const vm::cuda::Compiler compiler, vm::cuda::Compiler::load());
  ANYBIT_ASSIGN(const vm::cuda::CubinCache cache, vm::cuda::CubinCache::open_default());
  ANYBIT_ASSIGN(const vm::cuda::Stream stream, vm::cuda::Stream::create(device));
  vm::TuneOptions options;
  options.max_candidates = arguments.num_candidates;
  options.budget_seconds = arguments.budget;
  options.compile_threads = threads_of(arguments.common).count;
  options.cache = &cache;
  options.progress = progress_bar();
  ANYBIT_ASSIGN(const vm::TuneResult result, vm::tune(stream, compiler, kernel, sizes, options));
  ANYBIT_TRY(vm::store_schedule(path, result.best));
  if (!arguments.common.json) {
    print_result(result, path.string(), arguments.num_shown);
    return {};
  }
  OrderedJson tried = OrderedJson::array();
  for (const vm::TunedCandidate& candidate : result.candidates) {
    tried.push_back({{"schedule", to_json(candidate.schedule)},
                     {"us", candidate.microseconds},
                     {"estimated_us", candidate.estimate.microseconds},
                     {"rank", candidate.rank + 1},
                     {"registers", candidate.registers},
                     {"spill_bytes", candidate.spill_bytes},
                     {"problem", candidate.problem}});
  }
  print_json({{"kernel", kernel.name},
              {"device", result.best.device},
              {"shape_class", to_json(result.best.shape_class)},
              {"best", to_json(result.best.schedule)},
              {"us", result.best.microseconds},
              {"table", path.string()},
              {"complete", result.is_complete},
              {"tried", tried}});
  return {};
}

Status tune(const TuneArguments& arguments) {
  if (arguments.kernel.empty()) {
    list_kernels(arguments.common.json);
    return {};
  }
  ANYBIT_ASSIGN(const vm::KernelTemplate kernel, kernel::find_kernel_template(arguments.kernel));
  Result<vm::ProblemSizes> sizes = vm::parse_named_integers(arguments.shape);
  if (!sizes) return with_context(sizes.error(), "--shape");
  ANYBIT_TRY(vm::check_sizes(kernel, *sizes));
  return arguments.dry_run ? dry_run(arguments, kernel, *sizes)
                           : tune_on_device(arguments, kernel, *sizes);
}

}  // namespace

int vm_tune(int argc, const char* const* argv) {
  TuneArguments arguments;
  Arguments parser(
      "vm tune",
      "Ranks the schedules of a kernel by a cost model, times the first of them on the GPU, checks "
      "the quickest against a reference and keeps it for later runs. Without KERNEL: lists the "
      "kernels.",
      "  anybit vm tune\n"
      "  anybit vm tune dense_matmul_f16 --shape \"m=4096 n=4096 k=4096\" --dry-run\n"
      "  anybit vm tune softmax_f16 --shape \"rows=8192 columns=4096\" --budget 30");
  parser.positional("KERNEL", &arguments.kernel, "Which kernel", false);
  parser.option("--shape", &arguments.shape, "Its sizes, as NAME=INTEGER with blanks between");
  parser.option("--device", &arguments.device, "Which GPU");
  parser.option("--budget", &arguments.budget, "Seconds after which no further schedule is begun");
  parser.option("--candidates", &arguments.num_candidates, "How many schedules are timed at most");
  parser.flag("--dry-run", &arguments.dry_run,
              "Print the ranking and what was left out and why; needs no GPU");
  parser.option("--model", &arguments.model, "Of --dry-run: the device to estimate for");
  parser.option("--show", &arguments.num_shown, "How many lines of the ranking are printed");
  parser.common(&arguments.common);
  if (const auto exit_code = parser.parse(argc, argv)) return *exit_code;
  return finish("vm tune", tune(arguments));
}

}  // namespace anybit::cli
