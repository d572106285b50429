#include "anybit/cli/quantize_command.h"

#include <fmt/core.h>

#include "anybit/base/json.h"
#include "anybit/cli/command.h"
#include "anybit/cli/progress_bar.h"
#include "anybit/quant/method/method.h"
#include "anybit/recipe/checkpoint_source.h"
#include "anybit/recipe/quantize_model.h"
#include "anybit/recipe/report_json.h"
#include "anybit/recipe/write_gguf.h"

namespace anybit::cli {
namespace {

constexpr std::string_view kExamples =
    "  anybit quantize models/wiki-6m -o out --scheme int4_g64\n"
    "  anybit quantize model.gguf -o out --scheme nvfp4 --method mse\n"
    "  anybit quantize model -o out --scheme int3_g32 --keep 'down_proj=int6_g32' --keep "
    "'lm_head=keep'\n"
    "  anybit quantize model --gguf model.gguf --scheme q4_k --embedding-scheme q6_k\n"
    "\nA killed run continues when it is started again. Schemes: anybit formats.";

struct QuantizeArguments {
  std::string model, out, gguf, scheme, embedding_scheme, method = "rtn", rounding = "nearest_even";
  std::vector<std::string> keep;
  int64_t seed = 0;
  bool overwrite = false;
  CommonOptions common;
};

std::string method_help() {
  std::string help = "How codes are chosen";
  for (const quant::Method& method : quant::methods()) {
    help += fmt::format("; {}: {}", method.name, method.description);
  }
  return help;
}

Result<recipe::QuantizeOptions> options_from(const QuantizeArguments& arguments) {
  if (arguments.out.empty() == arguments.gguf.empty()) {
    return fail(ErrorCode::kInvalidArgument, "expected one of --out and --gguf, found {}",
                arguments.out.empty() ? "neither" : "both");
  }
  recipe::QuantizeOptions options;
  ANYBIT_ASSIGN(options.plan.scheme, numeric::parse_scheme(arguments.scheme));
  if (!arguments.embedding_scheme.empty()) {
    ANYBIT_ASSIGN(options.plan.embedding_scheme, numeric::parse_scheme(arguments.embedding_scheme));
  }
  for (const std::string& text : arguments.keep) {
    ANYBIT_ASSIGN(recipe::KeepRule rule, recipe::parse_keep_rule(text));
    options.plan.keep.push_back(std::move(rule));
  }
  ANYBIT_ASSIGN(options.method, quant::find_method(arguments.method));
  ANYBIT_ASSIGN(options.method_options.rounding, numeric::parse_rounding_mode(arguments.rounding));
  options.method_options.seed = static_cast<uint64_t>(arguments.seed);
  options.method_options.threads = threads_of(arguments.common);
  options.overwrite = arguments.overwrite;
  options.progress = progress_bar();
  return options;
}

void print_report(const recipe::QuantizeReport& report, const std::string& out) {
  fmt::print("{:<52}{:<18}{:>9}{:>11}{:>9}\n", "tensor", "stored as", "bits/w", "rel. error",
             "SQNR dB");
  for (const recipe::TensorReport& tensor : report.tensors) {
    if (!tensor.error) continue;
    fmt::print("{:<52}{:<18}{:>9.3f}{:>11.5f}{:>9.2f}\n", tensor.name, tensor.scheme,
               tensor.bits_per_weight, tensor.error->relative, tensor.error->sqnr_db);
  }
  fmt::print("\n{}: {} parameters in {:.2f} MB, {:.3f} bits per weight, relative error {:.5f}\n",
             out, report.num_parameters, static_cast<double>(report.size_bytes) / 1e6,
             report.bits_per_weight, report.relative_error);
  if (report.resumed_shards > 0) {
    fmt::print("{} shards were there from an earlier run.\n", report.resumed_shards);
  }
}

Result<recipe::QuantizeReport> write(const QuantizeArguments& arguments,
                                     const recipe::QuantizeOptions& options) {
  if (arguments.gguf.empty()) {
    ANYBIT_ASSIGN(const recipe::CheckpointSource source, recipe::open_checkpoint(arguments.model));
    return recipe::quantize_model(source, arguments.out, options);
  }
  ANYBIT_ASSIGN(const model::OpenedModel opened, model::open_model(arguments.model));
  ANYBIT_ASSIGN(recipe::GgufReport report, recipe::write_gguf(opened, arguments.gguf, options));
  for (const std::string& name : report.left_out) {
    fmt::print(stderr, "anybit quantize: left out {}, which GGUF has no name for\n", name);
  }
  return std::move(report.quantization);
}

Status quantize(const QuantizeArguments& arguments, const recipe::QuantizeOptions& options) {
  ANYBIT_ASSIGN(const recipe::QuantizeReport report, write(arguments, options));
  if (arguments.common.json) {
    fmt::print("{}", recipe::report_to_json(report));
  } else {
    print_report(report, arguments.gguf.empty() ? arguments.out : arguments.gguf);
  }
  return {};
}

}  // namespace

int quantize_command(int argc, const char* const* argv) {
  QuantizeArguments arguments;
  Arguments parser("quantize",
                   "Stores a model's matrices under a scheme, tensor by tensor, and reports what "
                   "each cost.",
                   kExamples);
  parser.positional("MODEL", &arguments.model, "A Hugging Face folder or a .gguf file");
  parser.option("-o,--out", &arguments.out, "Folder to write");
  parser.option("--gguf", &arguments.gguf,
                "GGUF file to write instead; SCHEME is one of ggml's types, f16 or bf16");
  parser.option("--scheme", &arguments.scheme, "Scheme of the layers' matrices", true);
  parser.option("--embedding-scheme", &arguments.embedding_scheme,
                "Scheme of embedding and output matrix (default: SCHEME from 8 bits up, else "
                "int8_g32; q8_0 in a GGUF file)");
  parser.option("--method", &arguments.method, method_help());
  parser.option("--keep", &arguments.keep,
                "REGEX=SCHEME for tensors whose name matches, REGEX=keep to leave them; the first "
                "match decides");
  parser.option("--rounding", &arguments.rounding,
                "nearest_even, nearest_away, toward_zero, up, down, to_odd or stochastic");
  parser.option("--seed", &arguments.seed, "Of stochastic rounding");
  parser.flag("--overwrite", &arguments.overwrite,
              "Replace the checkpoint in the output folder, or the file");
  parser.common(&arguments.common);
  if (const auto exit_code = parser.parse(argc, argv)) return *exit_code;
  const Result<recipe::QuantizeOptions> options = options_from(arguments);
  if (!options) return misuse("quantize", options.error());
  return finish("quantize", quantize(arguments, *options));
}

}  // namespace anybit::cli
