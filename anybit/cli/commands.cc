#include <fmt/core.h>

#include <algorithm>
#include <cstdio>
#include <exception>

#include "anybit/cli/bench_command.h"
#include "anybit/cli/command.h"
#include "anybit/cli/eval_command.h"
#include "anybit/cli/formats_command.h"
#include "anybit/cli/inspect_command.h"
#include "anybit/cli/quantize_command.h"
#include "anybit/cli/run_command.h"
#include "anybit/cli/tokenize_command.h"
#include "anybit/cli/vm_command.h"

namespace anybit::cli {
namespace {

constexpr Command kCommands[] = {
    {"formats", "List number formats, or show one", formats_command},
    {"inspect", "Show what a model or tensor file holds", inspect_command},
    {"tokenize", "Turn text into token ids, or back", tokenize_command},
    {"quantize", "Store a model in a low-precision format", quantize_command},
    {"run", "Generate text, or chat", run_command},
    {"eval", "Measure perplexity, divergence from a reference, or a task's accuracy", eval_command},
    {"bench", "Measure speed as a fraction of what the machine can do", bench_command},
    {"vm", "Check, print and explain programs of the tile VM", vm_command},
};

void print_help(std::FILE* out) {
  fmt::print(
      out,
      "anybit: make and run neural networks at any precision, from 1 to 8 bits and beyond\n\n"
      "Usage: anybit COMMAND [OPTIONS]\n\nCommands:\n");
  for (const Command& command : kCommands) {
    fmt::print(out, "  {:<10} {}\n", command.name, command.summary);
  }
  fmt::print(out,
             "\nanybit COMMAND --help explains a command, with examples.\n"
             "Exit codes: 0 done, 1 failed, 2 misused.\n");
}

/// Runs a command; what it could not write is a failure, and no exception ends the process.
int run_guarded(const Command& command, int argc, const char* const* argv) {
  int exit_code = kExitFailed;
  try {
    exit_code = command.run(argc, argv);
    if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
      return finish(command.name, fail(ErrorCode::kIo, "standard output: cannot write"));
    }
  } catch (const std::exception& error) {
    return finish(command.name, fail(ErrorCode::kIo, "{}", error.what()));
  }
  return exit_code;
}

}  // namespace

std::span<const Command> commands() { return kCommands; }

int run(int argc, const char* const* argv) {
  const std::string_view name = argc > 1 ? argv[1] : "";
  if (name == "--help" || name == "-h" || name == "help") {
    print_help(stdout);
    return kExitDone;
  }
  if (name == "--version") {
    fmt::print("anybit 0.1.0\n");
    return kExitDone;
  }
  const Command* found = std::ranges::find(kCommands, name, &Command::name);
  if (found == std::ranges::end(kCommands)) {
    if (name.empty()) {
      print_help(stderr);
    } else {
      fmt::print(stderr, "anybit: no command \"{}\"; anybit --help lists them\n", name);
    }
    return kExitMisused;
  }
  return run_guarded(*found, argc - 1, argv + 1);
}

int finish(std::string_view command, const Status& status) {
  if (status) return kExitDone;
  fmt::print(stderr, "anybit {}: {}\n", command, status.error().message);
  return kExitFailed;
}

int misuse(std::string_view command, const Error& error) {
  fmt::print(stderr, "anybit {}: {}\nRun with --help for more information.\n", command,
             error.message);
  return kExitMisused;
}

Threads threads_of(const CommonOptions& options) {
  if (options.threads <= 0) return Threads::all();
  return {static_cast<int>(std::min<int64_t>(options.threads, 1024))};
}

}  // namespace anybit::cli
