#include "anybit/vm/tuning/tune.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <optional>

#include "anybit/base/integer.h"
#include "anybit/base/parallel.h"
#include "anybit/vm/backend/cuda/program.h"
#include "anybit/vm/backend/cuda/runtime/device_buffer.h"
#include "anybit/vm/pass/pipeline.h"

namespace anybit::vm {
namespace {

using Clock = std::chrono::steady_clock;

/// Device buffers with the problem's contents, and the arguments that name them.
struct ArgumentSet {
  std::vector<cuda::DeviceBuffer> buffers;
  std::vector<cuda::CudaArgument> arguments;
};

Result<ArgumentSet> make_set(const cuda::Device& device, const TuningProblem& problem) {
  ArgumentSet set;
  for (const TuningArgument& argument : problem.arguments) {
    if (!argument.is_buffer) {
      set.arguments.push_back(
          {argument.scalar.type, argument.scalar.integer, argument.scalar.real});
      continue;
    }
    ANYBIT_ASSIGN(cuda::DeviceBuffer buffer,
                  cuda::DeviceBuffer::copy_of(device, argument.contents));
    set.arguments.push_back(cuda::CudaArgument::pointer(buffer.address()));
    set.buffers.push_back(std::move(buffer));
  }
  return set;
}

class Tuner {
 public:
  Tuner(const cuda::Stream& stream, const cuda::Compiler& compiler, const KernelTemplate& kernel,
        const ProblemSizes& sizes, const TuneOptions& options)
      : stream_(stream), compiler_(compiler), kernel_(kernel), sizes_(sizes), options_(options) {}

  Result<TuneResult> run() {
    const DeviceModel device = device_model_of(stream_.device().properties());
    ANYBIT_ASSIGN(const Ranking ranking, rank_schedules(kernel_, sizes_, device));
    const auto count =
        std::min<int64_t>(options_.max_candidates, static_cast<int64_t>(ranking.candidates.size()));
    ANYBIT_TRY(make_sets());
    TuneResult result;
    result.num_ranked = static_cast<int64_t>(ranking.candidates.size());
    // Compiled in batches, so that a budget also ends the compiling.
    const int64_t batch = std::max(1, options_.compile_threads);
    for (int64_t first = 0; first < count && result.is_complete; first += batch) {
      const int64_t end = std::min(first + batch, count);
      std::vector<std::optional<Result<cuda::CudaProgram>>> programs(
          static_cast<size_t>(end - first));
      compile(ranking, first, programs);
      for (int64_t i = first; i < end; ++i) {
        if (!result.candidates.empty() && seconds() > options_.budget_seconds) {
          result.is_complete = false;
          break;
        }
        report(i, count, ranking.candidates[static_cast<size_t>(i)].schedule);
        result.candidates.push_back(try_candidate(ranking.candidates[static_cast<size_t>(i)], i,
                                                  *programs[static_cast<size_t>(i - first)]));
      }
    }
    if (options_.progress) options_.progress({"tune", count, count, "schedules", ""});
    return finish(std::move(result), device);
  }

 private:
  double seconds() const { return std::chrono::duration<double>(Clock::now() - start_).count(); }

  void report(int64_t done, int64_t total, const Schedule& schedule) const {
    if (!options_.progress) return;
    const std::string note = to_string(schedule);
    options_.progress({"tune", done, total, "schedules", note});
  }

  Status make_sets() {
    ANYBIT_ASSIGN(problem_, kernel_.problem(sizes_, options_.seed));
    for (const TuningArgument& argument : problem_.arguments) {
      set_bytes_ += argument.is_buffer ? static_cast<int64_t>(argument.contents.size()) : 0;
    }
    const int64_t wanted = std::max<int64_t>(options_.timing.min_rotation_bytes, 1);
    const int64_t num_sets = std::max<int64_t>(1, anybit::ceil_div(wanted, set_bytes_));
    for (int64_t i = 0; i < num_sets; ++i) {
      ANYBIT_ASSIGN(ArgumentSet set, make_set(stream_.device(), problem_));
      sets_.push_back(std::move(set));
    }
    return {};
  }

  void compile(const Ranking& ranking, int64_t first,
               std::vector<std::optional<Result<cuda::CudaProgram>>>& programs) const {
    std::atomic<size_t> next = 0;
    parallel_run({options_.compile_threads}, [&](int, int) {
      for (size_t i = next++; i < programs.size(); i = next++) {
        const Schedule& schedule = ranking.candidates[static_cast<size_t>(first) + i].schedule;
        programs[i] = [&]() -> Result<cuda::CudaProgram> {
          ANYBIT_ASSIGN(Program program, kernel_.program(sizes_, schedule));
          return cuda::CudaProgram::load(stream_.device(), compiler_, std::move(program),
                                         options_.cache);
        }();
      }
    });
  }

  TunedCandidate try_candidate(const Candidate& candidate, int64_t rank,
                               const Result<cuda::CudaProgram>& program) {
    TunedCandidate tuned{candidate.schedule, candidate.estimate, rank};
    const Status status = measure(program, tuned);
    if (!status) tuned.problem = status.error().message;
    if (!tuned.problem.empty()) tuned.microseconds = 0;
    return tuned;
  }

  Status measure(const Result<cuda::CudaProgram>& program, TunedCandidate& tuned) {
    ANYBIT_TRY(program);
    const cuda::KernelAttributes attributes = program->kernel().attributes();
    tuned.registers = attributes.registers;
    tuned.spill_bytes = attributes.local_bytes;
    tuned.shared_bytes = program->emitted().shared_bytes;
    // Every buffer as it was before the first launch: an answer left over by another candidate
    // must not pass for this one's.
    size_t next = 0;
    for (const TuningArgument& argument : problem_.arguments) {
      if (argument.is_buffer) ANYBIT_TRY(sets_[0].buffers[next++].write(argument.contents));
    }
    ANYBIT_TRY(program->launch(stream_, sets_[0].arguments));
    ANYBIT_TRY(stream_.synchronize());
    std::vector<std::vector<std::byte>> contents;
    for (const cuda::DeviceBuffer& buffer : sets_[0].buffers) {
      ANYBIT_ASSIGN(contents.emplace_back(), buffer.to_vector<std::byte>());
    }
    tuned.problem = problem_.check(contents);
    if (!tuned.problem.empty()) return {};
    std::vector<cuda::KernelArguments> launches;
    cuda::LaunchShape shape;
    for (const ArgumentSet& set : sets_) {
      ANYBIT_ASSIGN(const auto launch, program->prepare(set.arguments));
      launches.push_back(launch.arguments);
      shape = launch.shape;
    }
    ANYBIT_ASSIGN(const cuda::Timing timing,
                  cuda::time_kernel(stream_, program->kernel(), shape, launches, set_bytes_,
                                    options_.timing));
    tuned.microseconds = timing.median_us;
    return {};
  }

  Result<TuneResult> finish(TuneResult result, const DeviceModel& device) const {
    std::stable_sort(result.candidates.begin(), result.candidates.end(),
                     [](const TunedCandidate& a, const TunedCandidate& b) {
                       if ((a.microseconds > 0) != (b.microseconds > 0)) return a.microseconds > 0;
                       return a.microseconds < b.microseconds;
                     });
    const TunedCandidate& best = result.candidates.front();
    if (best.microseconds <= 0) {
      return fail(ErrorCode::kUnsupported,
                  "{} at {}: none of {} schedules ran and was right; {}: {}", kernel_.name,
                  to_string(sizes_), result.candidates.size(), to_string(best.schedule),
                  best.problem);
    }
    result.best = {kernel_.name,  device.name,       kernel_.shape_class(sizes_),
                   best.schedule, best.microseconds, options_.commit};
    return result;
  }

  const cuda::Stream& stream_;
  const cuda::Compiler& compiler_;
  const KernelTemplate& kernel_;
  const ProblemSizes& sizes_;
  const TuneOptions& options_;
  const Clock::time_point start_ = Clock::now();
  TuningProblem problem_;
  int64_t set_bytes_ = 0;
  std::vector<ArgumentSet> sets_;
};

}  // namespace

Result<TuneResult> tune(const cuda::Stream& stream, const cuda::Compiler& compiler,
                        const KernelTemplate& kernel, const ProblemSizes& sizes,
                        const TuneOptions& options) {
  return Tuner(stream, compiler, kernel, sizes, options).run();
}

}  // namespace anybit::vm
