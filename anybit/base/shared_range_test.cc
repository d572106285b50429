#include "anybit/base/shared_range.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <vector>

namespace anybit {
namespace {

TEST(SharedRange, GivesOutEveryIndexOnceInWholeGrains) {
  for (const int threads : {1, 2, 3, 7}) {
    for (const int64_t count : {0, 1, 7, 8, 9, 64, 1000}) {
      for (const int64_t grain : {1, 8, 33}) {
        std::vector<std::atomic<int>> seen(static_cast<size_t>(count));
        SharedRange range(count, grain, {threads});
        parallel_run({threads}, [&](int thread, int) {
          for (int64_t begin = 0, end = 0; range.take(thread, begin, end);) {
            EXPECT_EQ(begin % grain, 0);
            EXPECT_TRUE(end - begin == grain || end == count);
            for (int64_t i = begin; i < end; ++i) ++seen[static_cast<size_t>(i)];
          }
        });
        EXPECT_TRUE(std::ranges::all_of(seen, [](const auto& n) { return n == 1; }));
      }
    }
  }
}

TEST(SharedRange, OneThreadAloneTakesTheOthersRunsFromTheBack) {
  SharedRange range(10, 2, {2});
  std::vector<int64_t> begins;
  for (int64_t begin = 0, end = 0; range.take(0, begin, end);) begins.push_back(begin);
  EXPECT_EQ(begins, (std::vector<int64_t>{0, 2, 8, 6, 4}));
}

}  // namespace
}  // namespace anybit
