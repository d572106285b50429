// The tuner on the shapes whose schedules are shipped, and how well the cost model foresaw it.
#include <algorithm>
#include <cstdio>
#include <thread>

#include "anybit/kernel/tuning/templates.h"
#include "anybit/vm/tuning/tune.h"
#include "gpu_parts.h"

namespace anybit::bench {
namespace {

struct TunedShape {
  const char* kernel;
  const char* sizes;
  int64_t max_candidates;
};

constexpr TunedShape kShapes[] = {
    {"copy", "n=33554432", 20},
    {"softmax_f16", "rows=8192 columns=4096", 15},
    {"softmax_f16", "rows=4096 columns=8192", 15},
    {"rms_norm_f16", "rows=8192 columns=4096", 15},
    {"rms_norm_f16", "rows=4096 columns=8192", 15},
    {"dense_matmul_f16", "m=16 n=4096 k=4096", 24},
    {"dense_matmul_f16", "m=256 n=4096 k=4096", 32},
    // Shapes that the cost model was not fitted to.
    {"dense_matmul_f16", "m=64 n=8192 k=8192", 24},
    {"dense_matmul_f16", "m=1024 n=8192 k=8192", 24},
    {"dense_matmul_bf16", "m=2048 n=4096 k=14336", 24},
    {"dense_matmul_f16", "m=4096 n=4096 k=4096", 24},
    {"dense_matmul_f16", "m=8192 n=8192 k=8192", 24},
};

}  // namespace

std::vector<TuneRow> tune_on_gpu(const GpuContext& context, const vm::cuda::CubinCache* cache,
                                 const std::string& commit, double budget_seconds,
                                 const std::string& wanted) {
  std::vector<TuneRow> rows;
  for (const TunedShape& shape : kShapes) {
    if (fmt::format("{} {}", shape.kernel, shape.sizes).find(wanted) == std::string::npos) continue;
    const auto kernel = kernel::find_kernel_template(shape.kernel);
    const auto sizes = vm::parse_named_integers(shape.sizes);
    if (!kernel || !sizes) continue;
    vm::TuneOptions options;
    options.max_candidates = shape.max_candidates;
    options.budget_seconds = budget_seconds;
    options.compile_threads = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
    options.cache = cache;
    options.commit = commit;
    // A product of 8192 takes milliseconds: few launches give its median.
    options.timing.launches_per_graph = sizes->find("k") && sizes->at("m") >= 4096 ? 2 : 32;
    options.timing.replays = 11;
    TuneRow row{shape.kernel, *sizes,
                vm::tune(context.stream, context.compiler, *kernel, *sizes, options)};
    if (!row.result) {
      std::printf("tune %s %s: WRONG: %s\n", shape.kernel, shape.sizes,
                  row.result.error().message.c_str());
    } else {
      double best_of_five = 0;
      for (const vm::TunedCandidate& c : row.result->candidates) {
        std::printf("  %9.2f us, estimated %9.2f, rank %2d, %3d regs, %ld spilled: %s %s\n",
                    c.microseconds, c.estimate.microseconds, static_cast<int>(c.rank + 1),
                    c.registers, static_cast<long>(c.spill_bytes), to_string(c.schedule).c_str(),
                    c.problem.c_str());
        const bool is_better = best_of_five == 0 || c.microseconds < best_of_five;
        if (c.rank < 5 && c.microseconds > 0 && is_better) best_of_five = c.microseconds;
      }
      row.best_of_first_five = best_of_five;
      std::printf("tune %s %s: %.2f us; the best of the model's first five %.2f us (%+.1f%%)\n",
                  shape.kernel, shape.sizes, row.result->best.microseconds, best_of_five,
                  100 * (best_of_five / row.result->best.microseconds - 1));
    }
    std::fflush(stdout);
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace anybit::bench
