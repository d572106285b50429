#include "anybit/cli/bench_matmul_command.h"

#include <fmt/core.h>

#include <cstdlib>
#include <vector>

#include "anybit/base/cpu.h"
#include "anybit/base/json.h"
#include "anybit/cli/command.h"
#include "anybit/cli/progress_bar.h"
#include "anybit/kernel/matmul/bench.h"

namespace anybit::cli {
namespace {

constexpr std::string_view kExamples =
    "  anybit bench matmul --scheme int4_g64 -m 1 -n 4096 -k 4096\n"
    "  anybit bench matmul --scheme nvfp4 --all-kernels --threads 2\n"
    "  ANYBIT_KERNEL=float_scalar anybit bench matmul --scheme posit8_1_channel";

struct MatmulArguments {
  std::vector<std::string> schemes;
  std::string device = "cpu";
  int64_t m = 1, n = 4096, k = 4096;
  bool all_kernels = false;
  CommonOptions common;
};

struct Row {
  std::string scheme;
  kernel::MatmulBenchResult result;
};

// One product to time: a scheme and a kernel ("": the best).
struct Job {
  std::string text;
  numeric::Scheme scheme;
  std::string kernel_name;
};

Result<std::vector<Job>> jobs_of(const MatmulArguments& arguments) {
  std::vector<Job> jobs;
  const kernel::MatmulBenchOptions defaults;
  const char* const forced = std::getenv("ANYBIT_KERNEL");
  for (const std::string& text : arguments.schemes) {
    ANYBIT_ASSIGN(const numeric::Scheme scheme, numeric::parse_scheme(text));
    if (!arguments.all_kernels) {
      jobs.push_back({text, scheme, forced != nullptr ? forced : ""});
      continue;
    }
    for (const kernel::MatmulKernel& kernel : kernel::matmul_kernels()) {
      if (!kernel.supports(scheme, arguments.n, arguments.k, defaults.pack.cpu)) continue;
      jobs.push_back({text, scheme, std::string(kernel.name)});
    }
  }
  return jobs;
}

Result<std::vector<Row>> measure(const MatmulArguments& arguments, const std::vector<Job>& jobs) {
  kernel::MatmulBenchOptions options{.m = arguments.m, .n = arguments.n, .k = arguments.k};
  options.pack.threads = threads_of(arguments.common);
  const ProgressSink progress = progress_bar();
  const int64_t total = std::ssize(jobs);
  std::vector<Row> rows;
  for (const Job& job : jobs) {
    if (progress) progress({"bench", std::ssize(rows), total, "products", job.text});
    options.pack.kernel_name = job.kernel_name;
    ANYBIT_ASSIGN(const kernel::MatmulBenchResult result,
                  kernel::bench_matmul(job.scheme, options));
    rows.push_back({job.text, result});
  }
  if (progress) progress({"bench", total, total, "products", ""});
  return rows;
}

void print_table(const std::vector<Row>& rows, double bandwidth, double peak) {
  fmt::print("{:<22}{:<18}{:>11}{:>9}{:>10}{:>11}{:>10}{:>12}\n", "scheme", "kernel", "us", "GB/s",
             "of read", "G MAC/s", "of int8", "rel. error");
  for (const auto& [scheme, result] : rows) {
    fmt::print("{:<22}{:<18}{:>11.1f}{:>9.2f}{:>9.1f}%{:>11.2f}{:>9.1f}%{:>12.2e}\n", scheme,
               result.kernel_name, result.seconds * 1e6, result.bytes_per_s / 1e9,
               100 * result.bytes_per_s / bandwidth, result.multiply_adds_per_s / 1e9,
               peak > 0 ? 100 * result.multiply_adds_per_s / peak : 0.0, result.relative_error);
  }
  fmt::print("\n{}: read bandwidth {:.2f} GB/s, int8 peak {:.1f} G MAC/s\n", cpu_model_name(),
             bandwidth / 1e9, peak / 1e9);
}

void print_json(const std::vector<Row>& rows, double bandwidth, double peak) {
  OrderedJson results = OrderedJson::array();
  for (const auto& [scheme, result] : rows) {
    results.push_back(
        {{"scheme", scheme},
         {"kernel", result.kernel_name},
         {"seconds", result.seconds},
         {"weight_bytes", result.weight_bytes},
         {"bytes_per_s", result.bytes_per_s},
         {"fraction_of_bandwidth", result.bytes_per_s / bandwidth},
         {"multiply_adds_per_s", result.multiply_adds_per_s},
         {"fraction_of_int8_peak", peak > 0 ? result.multiply_adds_per_s / peak : 0.0},
         {"relative_error", result.relative_error},
         {"repeats", result.repeats}});
  }
  const OrderedJson object = {{"read_bandwidth", bandwidth},
                              {"int8_peak", peak},
                              {"cpu", cpu_model_name()},
                              {"results", results}};
  fmt::print("{}\n", object.dump());
}

Status bench(const MatmulArguments& arguments, const std::vector<Job>& jobs) {
  if (arguments.device != "cpu") {
    return fail(ErrorCode::kUnsupported, "--device {}: this build has kernels for cpu only",
                arguments.device);
  }
  const Threads threads = threads_of(arguments.common);
  const double bandwidth = kernel::measure_read_bandwidth(threads);
  const double peak = kernel::measure_int8_peak(threads);
  ANYBIT_ASSIGN(const std::vector<Row> rows, measure(arguments, jobs));
  arguments.common.json ? print_json(rows, bandwidth, peak) : print_table(rows, bandwidth, peak);
  return {};
}

}  // namespace

int bench_matmul_command(int argc, const char* const* argv) {
  MatmulArguments arguments;
  Arguments parser("bench matmul",
                   "Times c[m, n] = a[m, k] * b[k, n] with random weights under a scheme, rotated "
                   "over 400 MB, and checks the answer.",
                   kExamples);
  parser.option("--scheme", &arguments.schemes, "Scheme of b; may be given several times");
  parser.option("-m", &arguments.m, "Rows of a: tokens");
  parser.option("-n", &arguments.n, "Output features");
  parser.option("-k", &arguments.k, "Input features");
  parser.option("--device", &arguments.device, "Where to run");
  parser.flag("--all-kernels", &arguments.all_kernels, "Time every kernel that takes the scheme");
  parser.common(&arguments.common);
  if (const auto exit_code = parser.parse(argc - 1, argv + 1)) return *exit_code;
  if (arguments.schemes.empty()) arguments.schemes = {"int4_g64"};
  const Result<std::vector<Job>> jobs = jobs_of(arguments);
  if (!jobs) return misuse("bench matmul", jobs.error());
  return finish("bench matmul", bench(arguments, *jobs));
}

}  // namespace anybit::cli
