#include "anybit/cli/bench_command.h"

#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <functional>

#include "anybit/base/cpu.h"
#include "anybit/base/json.h"
#include "anybit/base/philox.h"
#include "anybit/cli/bench_matmul_command.h"
#include "anybit/cli/command.h"
#include "anybit/cli/loaded_model.h"
#include "anybit/cli/progress_bar.h"
#include "anybit/kernel/matmul/bench.h"
#include "anybit/model/open.h"
#include "anybit/model/weights/synthetic.h"
#include "anybit/quant/method/method.h"
#include "anybit/recipe/quantized_weights.h"

namespace anybit::cli {
namespace {

constexpr std::string_view kExamples =
    "  anybit bench models/wiki-6m --prompt 256 --generate 64\n"
    "  anybit bench models/wiki-6m --scheme int3_g64\n"
    "  anybit bench --synthetic llama-1b --scheme int4_g64 --threads 2\n"
    "  anybit bench matmul --scheme nvfp4 -m 1 -n 4096 -k 4096";

constexpr std::string_view kSyntheticScheme = "int4_g64";

struct BenchArguments {
  std::string model, synthetic, scheme;  // No scheme: the model's own, or kSyntheticScheme.
  int64_t prompt = 256, generate = 64, repeats = 3;
  CommonOptions common;
};

struct Speed {
  double prefill_tokens_per_s = 0, decode_tokens_per_s = 0;
  double read_bandwidth = 0;  // Bytes a second, in the same moments as decode.
};

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

double seconds_of(const std::function<Status()>& work, Status& status) {
  const auto start = std::chrono::steady_clock::now();
  status = work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

Result<Speed> measure_speed(const model::Model& decoder, const BenchArguments& arguments,
                            Threads threads, const ProgressSink& progress) {
  std::vector<int32_t> prompt;
  const Philox random(1);
  for (int64_t i = 0; i < arguments.prompt; ++i) {
    prompt.push_back(static_cast<int32_t>(random.bits64(static_cast<uint64_t>(i)) %
                                          static_cast<uint64_t>(decoder.config().vocab_size)));
  }
  ANYBIT_ASSIGN(model::ForwardState state,
                decoder.start({.capacity = arguments.prompt + arguments.generate}));
  std::vector<double> prefill, decode, bandwidth;
  for (int64_t round = 0; round <= arguments.repeats; ++round) {
    if (progress) progress({"bench", round, arguments.repeats + 1, "rounds", ""});
    state.truncate(0);
    Status status;
    const double prefill_seconds = seconds_of(
        [&]() -> Status {
          ANYBIT_TRY(decoder.forward(state, prompt));
          return {};
        },
        status);
    ANYBIT_TRY(status);
    // Other tenants of the memory come and go within seconds.
    const double bandwidth_before = kernel::measure_read_bandwidth(threads);
    const double decode_seconds = seconds_of(
        [&]() -> Status {
          for (int64_t i = 0; i < arguments.generate; ++i) {
            const auto index = static_cast<size_t>(i % arguments.prompt);
            ANYBIT_TRY(decoder.forward(state, std::span(prompt).subspan(index, 1)));
          }
          return {};
        },
        status);
    ANYBIT_TRY(status);
    if (round == 0) continue;  // Warm-up.
    bandwidth.push_back(std::max(bandwidth_before, kernel::measure_read_bandwidth(threads)));
    prefill.push_back(static_cast<double>(arguments.prompt) / prefill_seconds);
    decode.push_back(static_cast<double>(arguments.generate) / decode_seconds);
  }
  if (progress) progress({"bench", 1, 1, "rounds", ""});
  return Speed{median(prefill), median(decode), median(bandwidth)};
}

void print_speed(const Speed& speed, const model::Model& decoder, bool json) {
  const auto bytes = static_cast<double>(decoder.weight_bytes_per_token());
  const double fraction = bytes * speed.decode_tokens_per_s / speed.read_bandwidth;
  if (json) {
    const OrderedJson object = {{"prefill_tokens_per_s", speed.prefill_tokens_per_s},
                                {"decode_tokens_per_s", speed.decode_tokens_per_s},
                                {"bytes_per_token", decoder.weight_bytes_per_token()},
                                {"read_bandwidth", speed.read_bandwidth},
                                {"fraction_of_bandwidth", fraction},
                                {"kernels", decoder.kernel_names()},
                                {"cpu", cpu_model_name()}};
    fmt::print("{}\n", object.dump());
    return;
  }
  fmt::print("prefill    {:10.1f} tokens/s\n", speed.prefill_tokens_per_s);
  fmt::print("decode     {:10.1f} tokens/s\n", speed.decode_tokens_per_s);
  fmt::print("weights    {:10.2f} MB read a token\n", bytes / 1e6);
  fmt::print("bandwidth  {:10.2f} GB/s measured, {:.1f} % used by decode\n",
             speed.read_bandwidth / 1e9, 100 * fraction);
  fmt::print("kernels    {}\n", decoder.kernel_names());
}

Result<std::optional<numeric::Scheme>> check(const BenchArguments& arguments) {
  if (arguments.model.empty() == arguments.synthetic.empty()) {
    return fail(ErrorCode::kInvalidArgument, "expected one of MODEL and --synthetic, found {}",
                arguments.model.empty() ? "neither" : "both");
  }
  if (arguments.prompt < 1 || arguments.generate < 1 || arguments.repeats < 1) {
    return fail(ErrorCode::kInvalidArgument,
                "--prompt, --generate and --repeats must be at least 1");
  }
  if (arguments.scheme.empty() && !arguments.model.empty()) return std::nullopt;
  ANYBIT_ASSIGN(
      const numeric::Scheme scheme,
      numeric::parse_scheme(arguments.scheme.empty() ? kSyntheticScheme : arguments.scheme));
  return scheme;
}

using Weights = std::shared_ptr<const model::WeightSource>;

Result<Weights> weights_of(const BenchArguments& arguments,
                           const std::optional<numeric::Scheme>& scheme,
                           const ProgressSink& progress) {
  if (arguments.model.empty()) return model::synthetic_weights(arguments.synthetic, *scheme);
  ANYBIT_ASSIGN(model::OpenedModel opened, model::open_model(arguments.model, progress));
  if (!scheme) return opened.weights;
  recipe::QuantizeOptions options;
  options.plan.scheme = *scheme;
  options.method = &quant::methods().front();
  options.method_options.threads = threads_of(arguments.common);
  return recipe::quantized_weights(opened.weights, options);
}

Status bench_model(const BenchArguments& arguments, const std::optional<numeric::Scheme>& scheme) {
  const Threads threads = threads_of(arguments.common);
  const ProgressSink progress = progress_bar();
  ANYBIT_ASSIGN(const Weights weights, weights_of(arguments, scheme, progress));
  ANYBIT_ASSIGN(const model::Model decoder,
                model::Model::load(*weights, load_options(threads, progress)));
  ANYBIT_ASSIGN(const Speed speed, measure_speed(decoder, arguments, threads, progress));
  print_speed(speed, decoder, arguments.common.json);
  return {};
}

}  // namespace

int bench_command(int argc, const char* const* argv) {
  if (argc > 1 && std::string_view(argv[1]) == "matmul") return bench_matmul_command(argc, argv);
  BenchArguments arguments;
  Arguments parser("bench",
                   "Measures prefill and decode of a model, and how much of the machine's read "
                   "bandwidth decode uses. `anybit bench matmul` measures one matrix product.",
                   kExamples);
  std::string sizes = "Random weights of this size instead of MODEL:";
  for (const model::SyntheticModel& size : model::synthetic_models()) {
    sizes += fmt::format(" {}", size.name);
  }
  parser.positional("MODEL", &arguments.model, kModelHelp, false);
  parser.option("--synthetic", &arguments.synthetic, sizes);
  parser.option("--scheme", &arguments.scheme,
                fmt::format("Scheme of the random weights (default: {}), or what MODEL's are "
                            "quantized to first",
                            kSyntheticScheme));
  parser.option("--prompt", &arguments.prompt, "Tokens of prefill");
  parser.option("--generate", &arguments.generate, "Tokens of decode");
  parser.option("--repeats", &arguments.repeats, "Rounds after the warm-up; the median counts");
  parser.common(&arguments.common);
  if (const auto exit_code = parser.parse(argc, argv)) return *exit_code;
  const Result<std::optional<numeric::Scheme>> scheme = check(arguments);
  if (!scheme) return misuse("bench", scheme.error());
  return finish("bench", bench_model(arguments, *scheme));
}

}  // namespace anybit::cli
