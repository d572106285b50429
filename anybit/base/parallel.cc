#include "anybit/base/parallel.h"

#include <omp.h>
#include <sched.h>

#include <algorithm>

#include "anybit/base/check.h"
#include "anybit/base/integer.h"

namespace anybit {

Threads Threads::all() {
  cpu_set_t mask;
  CPU_ZERO(&mask);
  if (sched_getaffinity(0, sizeof(mask), &mask) != 0) return {1};
  return {std::max(1, CPU_COUNT(&mask))};
}

void parallel_run(Threads threads, const std::function<void(int, int)>& body) {
  ANYBIT_CHECK(threads.count >= 1);
  if (threads.count == 1 || omp_in_parallel()) {
    body(0, 1);
    return;
  }
#pragma omp parallel num_threads(threads.count)
  body(omp_get_thread_num(), omp_get_num_threads());
}

void parallel_for(Threads threads, int64_t count, int64_t grain,
                  const std::function<void(int64_t, int64_t)>& body) {
  ANYBIT_CHECK(count >= 0 && grain >= 1);
  const int64_t num_grains = ceil_div(count, grain);
  const auto used = static_cast<int>(std::clamp<int64_t>(num_grains, 1, threads.count));
  parallel_run({used}, [&](int thread, int num_threads) {
    const int64_t begin = std::min(count, num_grains * thread / num_threads * grain);
    const int64_t end = std::min(count, num_grains * (thread + 1) / num_threads * grain);
    if (begin < end) body(begin, end);
  });
}

}  // namespace anybit
