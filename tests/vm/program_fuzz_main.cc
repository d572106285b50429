// Fuzzes the tile VM: random valid programs on the reference backend and as emulated CUDA text,
// with and without each optional pass, compared bit for bit.
//   vm_program_fuzz [--seeds N] [--first SEED] [--seconds S] [--batch N] [--no-shrink]
//                   [--no-emulation] [--exact-dots] [--refusals] [--print SEED]
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "anybit/vm/text/print.h"
#include "tests/vm/program_fuzz.h"

namespace anybit::vm::testing {
namespace {

struct Arguments {
  uint64_t num_seeds = 48, first = 1, batch = 12;
  double seconds = 0;  // 0: until the seeds are used up.
  bool wants_refusals = false;
  uint64_t printed = 0;
  FuzzOptions fuzz;
};

bool parse(int argc, char** argv, Arguments& arguments) {
  for (int i = 1; i < argc; ++i) {
    const auto is = [&](const char* name) { return std::strcmp(argv[i], name) == 0; };
    const auto number = [&] { return ++i < argc ? std::strtoull(argv[i], nullptr, 10) : 0; };
    if (is("--seeds")) {
      arguments.num_seeds = number();
    } else if (is("--first")) {
      arguments.first = number();
    } else if (is("--seconds")) {
      arguments.seconds = static_cast<double>(number());
    } else if (is("--batch")) {
      arguments.batch = number();
    } else if (is("--print")) {
      arguments.printed = number();
    } else if (is("--no-shrink")) {
      arguments.fuzz.shrinks = false;
    } else if (is("--no-emulation")) {
      arguments.fuzz.emulates = false;
    } else if (is("--exact-dots")) {
      arguments.fuzz.generator.exact_dots = true;
    } else if (is("--refusals")) {
      arguments.wants_refusals = true;
    } else {
      std::fprintf(stderr, "vm_program_fuzz: unknown option %s\n", argv[i]);
      return false;
    }
  }
  return arguments.batch > 0;
}

int print_program(const Arguments& arguments) {
  const auto fuzz = generate_program(arguments.printed, arguments.fuzz.generator);
  if (!fuzz) {
    std::fprintf(stderr, "%s\n", fuzz.error().message.c_str());
    return 1;
  }
  std::printf("%s", describe({arguments.printed, "", *fuzz}).c_str());
  return 0;
}

int run(const Arguments& arguments) {
  using Clock = std::chrono::steady_clock;
  const auto start = Clock::now();
  FuzzCounts counts;
  size_t num_findings = 0;
  for (uint64_t done = 0; done < arguments.num_seeds; done += arguments.batch) {
    std::vector<uint64_t> seeds;
    for (uint64_t i = done; i < std::min(done + arguments.batch, arguments.num_seeds); ++i) {
      seeds.push_back(arguments.first + i);
    }
    for (const FuzzFinding& finding : fuzz_seeds(seeds, arguments.fuzz, counts)) {
      ++num_findings;
      std::printf("%s\n", describe(finding).c_str());
      std::fflush(stdout);
    }
    const std::chrono::duration<double> passed = Clock::now() - start;
    if (arguments.seconds > 0 && passed.count() > arguments.seconds) break;
  }
  for (size_t i = 0; arguments.wants_refusals && i < counts.refusals.size(); ++i) {
    std::printf("refused: %s\n", counts.refusals[i].c_str());
  }
  std::printf(
      "%d programs of %d statements: %zu findings, %d refused by code generation; generated in "
      "%.2f "
      "s, reference %.2f s, host compiler %.2f s, emulation %.2f s\n",
      counts.programs, counts.statements, num_findings, counts.refused, counts.generate_seconds,
      counts.reference_seconds, counts.compile_seconds, counts.emulate_seconds);
  // Most programs must reach the backends, or the run proves little.
  if (counts.refused * 4 > counts.programs) {
    std::printf("more than a quarter of the programs were refused\n");
    return 1;
  }
  return num_findings == 0 ? 0 : 1;
}

}  // namespace
}  // namespace anybit::vm::testing

int main(int argc, char** argv) {
  using namespace anybit::vm::testing;
  Arguments arguments;
  if (!parse(argc, argv, arguments)) return 2;
  return arguments.printed != 0 ? print_program(arguments) : run(arguments);
}
