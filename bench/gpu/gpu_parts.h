// Parts of gpu_check that are more than a list of cases.
#pragma once

#include <string>
#include <vector>

#include "anybit/vm/tuning/tune.h"
#include "gpu_case.h"

namespace anybit::bench {

struct FuzzSummary {
  int programs = 0;
  int refused = 0;  // By code generation, with a reason.
  std::vector<std::string> problems;
};

/// Runs the programs of these seeds (tests/vm/program_generator.h), compiled on every core, and
/// compares with the reference backend. Prints what differs.
FuzzSummary fuzz_on_gpu(const GpuContext& context, uint64_t first_seed, uint64_t num_seeds);

struct TuneRow {
  std::string kernel;
  vm::ProblemSizes sizes;
  Result<vm::TuneResult> result;
  double best_of_first_five = 0;  // Microseconds of the best of the cost model's first five.
};

/// Tunes the shapes of the shipped table whose text ("copy n=33554432") contains `wanted`. Prints
/// every candidate. `cache` may be null.
std::vector<TuneRow> tune_on_gpu(const GpuContext& context, const vm::cuda::CubinCache* cache,
                                 const std::string& commit, double budget_seconds,
                                 const std::string& wanted);

}  // namespace anybit::bench
