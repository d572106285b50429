// The table of commands. Adding one: a file pair that defines `int x_command(int argc, const char*
// const* argv)`, and a row in commands.cc.
#pragma once

#include <span>
#include <string_view>

#include "anybit/base/parallel.h"
#include "anybit/base/result.h"
#include "anybit/cli/arguments.h"

namespace anybit::cli {

/// One subcommand.
struct Command {
  std::string_view name;     // "quantize"
  std::string_view summary;  // One line of `anybit --help`.
  /// argv[0] is the command's name. Returns an exit code.
  int (*run)(int argc, const char* const* argv);
};

/// Every command, in the order of the help text.
std::span<const Command> commands();

/// Runs `anybit` with these arguments: finds the command, or prints the help text.
int run(int argc, const char* const* argv);

/// kExitDone, or the error on stderr as "anybit quantize: message" and kExitFailed.
int finish(std::string_view command, const Status& status);

/// The error on stderr and kExitMisused: for what the command line alone shows to be wrong.
int misuse(std::string_view command, const Error& error);

/// The threads that CommonOptions asks for.
Threads threads_of(const CommonOptions& options);

}  // namespace anybit::cli
