#include "anybit/base/parallel.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <vector>

namespace anybit {
namespace {

TEST(ParallelFor, CoversEveryIndexOnceInWholeGrains) {
  for (const int threads : {1, 2, 3, 7}) {
    for (const int64_t count : {0, 1, 7, 8, 9, 64, 1000}) {
      for (const int64_t grain : {1, 8, 33}) {
        std::vector<std::atomic<int>> seen(static_cast<size_t>(count));
        parallel_for({threads}, count, grain, [&](int64_t begin, int64_t end) {
          EXPECT_EQ(begin % grain, 0);
          EXPECT_TRUE(end % grain == 0 || end == count);
          for (int64_t i = begin; i < end; ++i) ++seen[static_cast<size_t>(i)];
        });
        EXPECT_TRUE(std::ranges::all_of(seen, [](const auto& n) { return n == 1; }));
      }
    }
  }
}

TEST(ParallelRun, EveryThreadHasItsIndex) {
  std::vector<std::atomic<int>> calls(3);
  parallel_run({3}, [&](int thread, int num_threads) {
    EXPECT_EQ(num_threads, 3);
    ++calls[static_cast<size_t>(thread)];
  });
  for (const auto& count : calls) EXPECT_EQ(count, 1);
}

TEST(ParallelRun, InsideAnotherRegionUsesOneThread) {
  parallel_run({2}, [](int, int) {
    parallel_run({2}, [](int thread, int num_threads) {
      EXPECT_EQ(thread, 0);
      EXPECT_EQ(num_threads, 1);
    });
  });
}

TEST(Threads, AllIsAtLeastOne) { EXPECT_GE(Threads::all().count, 1); }

}  // namespace
}  // namespace anybit
