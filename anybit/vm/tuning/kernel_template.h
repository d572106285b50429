// A kernel with a space of schedules: what the cost model ranks and the tuner times. A template is
// a row of a table of the layer above (kernel/tuning/templates.h).
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "anybit/vm/ir/program.h"
#include "anybit/vm/tuning/cost_model.h"
#include "anybit/vm/tuning/schedule.h"

namespace anybit::vm {

/// One launch argument of a tuning problem: a buffer, or a scalar.
struct TuningArgument {
  bool is_buffer = false;
  std::vector<std::byte> contents = {};  // Of a buffer; outputs begin as bytes 0xff.
  ScalarValue scalar = {};
};

/// Random inputs for a template at some sizes, and the test that a schedule's result must pass.
struct TuningProblem {
  std::vector<TuningArgument> arguments;  // In the order of the program's parameters.
  /// What is wrong with the buffers after a launch (all of them, in order); empty: nothing.
  std::function<std::string(const std::vector<std::vector<std::byte>>& buffers)> check;
  int64_t bytes_moved = 0;  // The least: each input read once, each output written once.
  double operations = 0;    // Multiply-adds count two.
};

struct KernelTemplate {
  std::string name;     // The key of schedule tables: "dense_matmul_f16".
  std::string summary;  // One line.
  std::vector<std::string> size_names;
  std::vector<ScheduleAxis> axes;

  /// The sizes that share a schedule, by one of them: m rounded up to a power of two, say.
  std::function<ProblemSizes(const ProblemSizes& sizes)> shape_class;

  /// What a launch does under the schedule.
  /// Errors: kUnsupported or kInvalidArgument if the schedule does not serve these sizes, saying
  /// which choice and why: "tile_k=64 does not divide k=96". A reason without its numbers groups
  /// candidates in reports.
  std::function<Result<Workload>(const ProblemSizes& sizes, const Schedule& schedule,
                                 const DeviceModel& device)>
      workload;

  /// The program. Pre: workload() takes the schedule. Errors: the builder's.
  std::function<Result<Program>(const ProblemSizes& sizes, const Schedule& schedule)> program;

  /// Inputs for timing and the check. Errors: kInvalidArgument for sizes it cannot make.
  std::function<Result<TuningProblem>(const ProblemSizes& sizes, uint64_t seed)> problem;
};

/// Errors: kInvalidArgument unless exactly the template's sizes are given, all positive.
Status check_sizes(const KernelTemplate& kernel, const ProblemSizes& sizes);

}  // namespace anybit::vm
