#include "anybit/vm/backend/reference/internal/thread_groups.h"

#include <gtest/gtest.h>

namespace anybit::vm::reference {
namespace {

struct Groups : ::testing::Test {
  std::string log;
  ThreadGroups* running = nullptr;

  Status run(std::vector<ThreadGroup> groups) {
    ThreadGroups all(std::move(groups));
    running = &all;
    return all.run([&](size_t i) { log += static_cast<char>('0' + i); });
  }
  Status wait(const std::function<bool()>& ready, const std::string& what) {
    return running->wait_until(ready, [&] { return what; });
  }
};

/// Counts its living copies.
struct Counted {
  explicit Counted(int& count) : count_(&count) { ++*count_; }
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;
  ~Counted() { --*count_; }
  int* count_;
};

TEST_F(Groups, TakeTurnsWhereTheyWait) {
  int step = 0;
  const auto turn = [&](int own) {
    return [this, own, &step]() -> Status {
      for (int i = own; i < 6; i += 2) {
        ANYBIT_TRY(wait([&] { return step == i; }, "a turn"));
        ++step;
      }
      return {};
    };
  };
  ASSERT_TRUE(run({{turn(0)}, {turn(1)}}));
  EXPECT_EQ(step, 6);
  EXPECT_EQ(log, "010101");
}

TEST_F(Groups, BeginAfterThoseTheyFollow) {
  bool first_done = false, second_done = false;
  ASSERT_TRUE(run({{[&]() -> Status {
                     ANYBIT_TRY(wait([&] { return second_done; }, "the second"));
                     first_done = true;
                     return {};
                   }},
                   {[&]() -> Status {
                     second_done = true;
                     return {};
                   }},
                   {[&]() -> Status {
                      EXPECT_TRUE(first_done);
                      return {};
                    },
                    {0}}}));
}

TEST_F(Groups, ADeadlockSaysWhatEachWaitsForAndDestroysWhatTheyHold) {
  int living = 0;
  const auto stuck = [&](const std::string& what) {
    return [this, what, &living]() -> Status {
      const Counted held(living);
      return wait([] { return false; }, what);
    };
  };
  const Status status = run({{stuck("one waits")}, {stuck("two waits")}});
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().message, "deadlock: one waits; two waits");
  EXPECT_EQ(living, 0);
}

TEST_F(Groups, TheFirstErrorEndsTheOthers) {
  int living = 0;
  const Status status =
      run({{[&]() -> Status {
             const Counted held(living);
             return wait([] { return false; }, "nothing");
           }},
           {[]() -> Status { return fail(ErrorCode::kInvalidArgument, "a mistake"); }}});
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().message, "a mistake");
  EXPECT_EQ(living, 0);
}

}  // namespace
}  // namespace anybit::vm::reference
