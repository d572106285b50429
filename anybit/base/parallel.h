// Running work on several threads. The threads themselves belong to OpenMP, behind parallel.cc.
#pragma once

#include <cstdint>
#include <functional>

namespace anybit {

/// How many threads a computation may use. Passed down as an argument; there is no global.
struct Threads {
  int count = 1;

  /// As many as this process may run on (its affinity mask), at least 1.
  static Threads all();
};

/// Calls body(thread_index, num_threads) once on each of threads.count threads, and waits.
/// Fewer threads are used only inside another parallel region (then 1).
void parallel_run(Threads threads, const std::function<void(int, int)>& body);

/// Splits [0, count) into one contiguous range a thread, each a multiple of `grain` but the last,
/// and calls body(begin, end) for the non-empty ones. Which thread has which range depends only
/// on count, grain and threads.count.
void parallel_for(Threads threads, int64_t count, int64_t grain,
                  const std::function<void(int64_t, int64_t)>& body);

}  // namespace anybit
