#include "anybit/vm/tuning/ranking.h"

#include <algorithm>

namespace anybit::vm {
namespace {

/// The message with every number as '#': what candidates left out for one reason share.
std::string without_numbers(std::string_view message) {
  std::string text;
  for (const char c : message) {
    const bool is_digit = c >= '0' && c <= '9';
    if (!is_digit) text += c;
    if (is_digit && (text.empty() || text.back() != '#')) text += '#';
  }
  return text;
}

Result<Candidate> make_candidate(const KernelTemplate& kernel, const ProblemSizes& sizes,
                                 const DeviceModel& device, Schedule schedule) {
  Candidate candidate;
  ANYBIT_ASSIGN(candidate.workload, kernel.workload(sizes, schedule, device));
  ANYBIT_ASSIGN(candidate.estimate, estimate(device, candidate.workload));
  candidate.schedule = std::move(schedule);
  return candidate;
}

}  // namespace

Status check_sizes(const KernelTemplate& kernel, const ProblemSizes& sizes) {
  for (const std::string& name : kernel.size_names) {
    const auto value = sizes.find(name);
    if (!value || *value <= 0) {
      return fail(ErrorCode::kInvalidArgument, "{}: {} is {}, expected a positive number",
                  kernel.name, name, value ? std::to_string(*value) : "missing");
    }
  }
  for (const auto& [name, value] : sizes.entries()) {
    if (std::find(kernel.size_names.begin(), kernel.size_names.end(), name) ==
        kernel.size_names.end()) {
      return fail(ErrorCode::kInvalidArgument, "{} has no size {}", kernel.name, name);
    }
  }
  return {};
}

Result<Ranking> rank_schedules(const KernelTemplate& kernel, const ProblemSizes& sizes,
                               const DeviceModel& device) {
  ANYBIT_TRY(check_sizes(kernel, sizes));
  ANYBIT_ASSIGN(std::vector<Schedule> schedules, all_schedules(kernel.axes));
  Ranking ranking;
  ranking.num_schedules = static_cast<int64_t>(schedules.size());
  for (Schedule& schedule : schedules) {
    Result<Candidate> candidate = make_candidate(kernel, sizes, device, schedule);
    if (candidate) {
      ranking.candidates.push_back(std::move(*candidate));
      continue;
    }
    const std::string& message = candidate.error().message;
    PrunedReason& reason = ranking.pruned[without_numbers(message)];
    if (reason.count++ == 0) reason.example = fmt::format("{}: {}", to_string(schedule), message);
  }
  if (ranking.candidates.empty()) {
    std::string reasons;
    for (const auto& [text, reason] : ranking.pruned) reasons += "; " + reason.example;
    return fail(ErrorCode::kUnsupported, "{}: no schedule serves {}{}", kernel.name,
                to_string(sizes), reasons);
  }
  std::stable_sort(ranking.candidates.begin(), ranking.candidates.end(),
                   [](const Candidate& a, const Candidate& b) {
                     return a.estimate.microseconds < b.estimate.microseconds;
                   });
  return ranking;
}

Result<ChosenSchedule> choose_schedule(const KernelTemplate& kernel, const ProblemSizes& sizes,
                                       const DeviceModel& device, const ScheduleTable& table) {
  ANYBIT_TRY(check_sizes(kernel, sizes));
  const ProblemSizes shape_class = kernel.shape_class(sizes);
  const ScheduleEntry* const entry = table.find(kernel.name, device.name, shape_class);
  if (entry != nullptr) {
    // A schedule that the template has had and has no more, or that these sizes rule out, is left.
    ANYBIT_ASSIGN(const std::vector<Schedule> schedules, all_schedules(kernel.axes));
    const bool is_known =
        std::find(schedules.begin(), schedules.end(), entry->schedule) != schedules.end();
    if (is_known && make_candidate(kernel, sizes, device, entry->schedule)) {
      return ChosenSchedule{
          entry->schedule, true,
          fmt::format("tuned: {:.1f} us at {}", entry->microseconds, to_string(shape_class))};
    }
  }
  ANYBIT_ASSIGN(const Ranking ranking, rank_schedules(kernel, sizes, device));
  const Candidate& first = ranking.candidates[0];
  return ChosenSchedule{
      first.schedule, false,
      fmt::format("estimated: {:.1f} us, limited by {}; {} schedules left out",
                  first.estimate.microseconds, first.estimate.limit,
                  ranking.num_schedules - static_cast<int64_t>(ranking.candidates.size()))};
}

}  // namespace anybit::vm
