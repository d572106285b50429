// Runs one program in every way that must give the same bits, and makes a failing program small.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "tests/vm/program_generator.h"

namespace anybit::vm::testing {

/// The buffers of a launch, in the order of the arguments that are buffers.
using FuzzBuffers = std::vector<std::vector<std::byte>>;

/// The buffers as they are before the launch.
FuzzBuffers initial_buffers(const FuzzProgram& fuzz);

/// Which passes of vm/pass/pipeline.h run besides those that backends cannot do without.
enum class OptionalPasses : uint8_t { kAll, kNone };

/// The program after the passes, without the one named `skipped`.
/// Errors: those of the passes; kUnsupported if what is left does not satisfy the backends.
Result<Program> lower_without(const Program& program, std::string_view skipped);
Result<Program> lower_with(const Program& program, OptionalPasses passes);
/// Names of the passes that may be left out.
std::vector<std::string_view> optional_passes();

/// What the reference makes of the buffers. Pre: `lowered` is fuzz.program after passes.
Result<FuzzBuffers> run_on_reference(const FuzzProgram& fuzz, const Program& lowered);

/// Empty if both hold the same codes, but for NaNs, which only have to be NaNs; else the first
/// difference.
std::string compare_buffers(const FuzzProgram& fuzz, const FuzzBuffers& expected,
                            const FuzzBuffers& found);

/// A program ready to be run on a backend that takes emitted text.
struct FuzzJob {
  FuzzProgram fuzz;
  FuzzBuffers expected;
  uint64_t seed = 0;
};

struct FuzzFinding {
  uint64_t seed = 0;
  std::string message;
  FuzzProgram fuzz;  // As small as it got.
};

struct FuzzCounts {
  int programs = 0;
  int statements = 0;
  int refused = 0;  // By code generation, with a reason: an access that it cannot carry out.
  std::vector<std::string> refusals;
  double generate_seconds = 0, reference_seconds = 0, compile_seconds = 0, emulate_seconds = 0;
};

struct FuzzOptions {
  GeneratorOptions generator;
  bool shrinks = true;
  bool emulates = true;  // Else: the reference alone, with and without passes.
};

/// Generates and runs the programs of these seeds; their kernels are compiled as one text.
std::vector<FuzzFinding> fuzz_seeds(std::span<const uint64_t> seeds, const FuzzOptions& options,
                                    FuzzCounts& counts);

/// Removes statements while `fails` says what is wrong with the rest.
FuzzProgram shrink(FuzzProgram fuzz, const std::function<std::string(const FuzzProgram&)>& fails);

/// The finding as a text that can be kept as a file: message, arguments and program.
std::string describe(const FuzzFinding& finding);

}  // namespace anybit::vm::testing
