// Times the most promising schedules of a template on a device and proves the winner right.
#pragma once

#include <string>
#include <vector>

#include "anybit/base/progress.h"
#include "anybit/vm/backend/cuda/runtime/compile.h"
#include "anybit/vm/backend/cuda/runtime/cubin_cache.h"
#include "anybit/vm/backend/cuda/runtime/stream.h"
#include "anybit/vm/backend/cuda/runtime/timing.h"
#include "anybit/vm/tuning/ranking.h"

namespace anybit::vm {

struct TuneOptions {
  int64_t max_candidates = 16;  // The first of the ranking.
  double budget_seconds = 60;   // No candidate is begun after it; the first always is.
  uint64_t seed = 1;            // Of the inputs.
  int compile_threads = 1;
  const cuda::CubinCache* cache = nullptr;  // May be null.
  cuda::TimingOptions timing;
  std::string commit = "unknown";  // Goes into the entry.
  ProgressSink progress;           // Task "tune", in schedules.
};

/// One candidate and what became of it.
struct TunedCandidate {
  Schedule schedule;
  Estimate estimate;
  int64_t rank = 0;         // By the cost model, from 0.
  double microseconds = 0;  // The median; 0: not timed.
  std::string problem;      // Why it was not timed, or is wrong; empty: neither.
  int registers = 0;
  int64_t spill_bytes = 0;
  int64_t shared_bytes = 0;  // Static and dynamic, of a CTA.
};

struct TuneResult {
  ScheduleEntry best;
  std::vector<TunedCandidate> candidates;  // Those begun: timed ones first, the quickest first.
  int64_t num_ranked = 0;
  bool is_complete = true;  // False: the budget ended it.
};

/// Ranks, compiles, checks and times. Each candidate that is timed has been run once and its result
/// checked against the template's reference; a wrong one is never chosen.
/// Effects: as cuda::time_kernel(); allocates at least timing.min_rotation_bytes on the device.
/// Errors: as rank_schedules() and the template's problem(); kOutOfMemory; kUnsupported if no
/// candidate could be compiled, run and found right, with the first one's reason.
Result<TuneResult> tune(const cuda::Stream& stream, const cuda::Compiler& compiler,
                        const KernelTemplate& kernel, const ProblemSizes& sizes,
                        const TuneOptions& options = {});

}  // namespace anybit::vm
