// Ranks the schedules of a template by the cost model, and chooses one without timing anything.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "anybit/vm/tuning/kernel_template.h"
#include "anybit/vm/tuning/schedule_table.h"

namespace anybit::vm {

struct Candidate {
  Schedule schedule;
  Workload workload;
  Estimate estimate;
};

/// Why schedules were left out.
struct PrunedReason {
  int64_t count = 0;
  std::string example;  // The first one's schedule and message.
};

struct Ranking {
  std::vector<Candidate> candidates;           // The quickest first; equals in the axes' order.
  std::map<std::string, PrunedReason> pruned;  // By the reason without its numbers.
  int64_t num_schedules = 0;
};

/// Errors: check_sizes(); kUnsupported if no schedule is left, with the reasons.
Result<Ranking> rank_schedules(const KernelTemplate& kernel, const ProblemSizes& sizes,
                               const DeviceModel& device);

struct ChosenSchedule {
  Schedule schedule;
  bool is_tuned = false;  // From the table; else the cost model's first.
  std::string why;        // "tuned: 3105.2 us at k=8192 m=8192 n=8192", "estimated: ..."
};

/// The table's entry for the sizes' class where its schedule serves these sizes; else the cost
/// model's first. Never times anything. Errors: as rank_schedules().
Result<ChosenSchedule> choose_schedule(const KernelTemplate& kernel, const ProblemSizes& sizes,
                                       const DeviceModel& device, const ScheduleTable& table);

}  // namespace anybit::vm
