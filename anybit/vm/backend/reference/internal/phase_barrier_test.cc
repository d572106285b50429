#include "anybit/vm/backend/reference/internal/phase_barrier.h"

#include <gtest/gtest.h>

namespace anybit::vm::reference {
namespace {

Accessor warp(int64_t w, int place = 1) { return {w * kWarpSize, place}; }

std::string message(const Status& status) { return status ? "no error" : status.error().message; }

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

struct Barriers : ::testing::Test {
  BarrierClock clock;
  PhaseBarrier full{"%full[0]", clock.add_agent(), 1, true};
  PhaseBarrier empty{"%empty[0]", clock.add_agent(), 2, true};

  /// A wait that passes; false where it would block.
  bool passes(PhaseBarrier& barrier, int64_t w, int64_t parity) {
    const Result<int64_t> target = barrier.begin_wait(clock, warp(w), parity);
    EXPECT_TRUE(target) << target.error().message;
    if (!target || barrier.phase() < *target) return false;
    barrier.end_wait(clock, warp(w));
    return true;
  }
};

TEST_F(Barriers, ArrivalsCompleteAPhaseAndWaitsAcquireThem) {
  EXPECT_TRUE(passes(empty, 0, 1));  // At the beginning.
  clock.barrier(0, 3);
  const int64_t epoch = clock.epoch(1);
  ASSERT_TRUE(empty.arrive(clock, warp(1), 0));
  EXPECT_EQ(empty.phase(), 0);
  ASSERT_TRUE(empty.arrive(clock, warp(2), 0));
  EXPECT_EQ(empty.phase(), 1);
  EXPECT_FALSE(clock.is_ordered(1, epoch, 0));
  EXPECT_TRUE(passes(empty, 0, 0));
  EXPECT_TRUE(clock.is_ordered(1, epoch, 0));
  // What the warp does after its arrival is not ordered.
  EXPECT_FALSE(clock.is_ordered(1, clock.epoch(1), 0));
}

TEST_F(Barriers, AnnouncedBytesKeepThePhaseOpen) {
  ASSERT_TRUE(full.arrive(clock, warp(0), 64));
  EXPECT_EQ(full.phase(), 0);
  ASSERT_TRUE(full.begin_copy(clock, warp(0), 48));
  ASSERT_TRUE(full.end_copy(48));
  EXPECT_EQ(full.waiting_text(1, 7),
            "phase 0 of %full[0] (line 7), which has had 1 of 1 arrivals and lacks 16 of the "
            "announced bytes");
  EXPECT_PRED2(contains, message(full.begin_copy(clock, warp(0), 32)),
               "32 bytes are copied in phase 0 of %full[0], of whose announced bytes 16 are left");
  ASSERT_TRUE(full.begin_copy(clock, warp(0), 16));
  ASSERT_TRUE(full.end_copy(16));
  EXPECT_EQ(full.phase(), 1);
  EXPECT_PRED2(contains, message(full.check_end(clock, 4)), "nobody waited for phase 0");
  EXPECT_TRUE(passes(full, 1, 0));
  EXPECT_TRUE(full.check_end(clock, 4));
}

TEST_F(Barriers, AnArrivalMustFollowThePhaseBefore) {
  ASSERT_TRUE(empty.arrive(clock, warp(1), 0));
  ASSERT_TRUE(empty.arrive(clock, warp(2), 0));
  // Warp 1 does not know of warp 2's arrival, so its next may come in phase 0 too.
  EXPECT_PRED2(contains, message(empty.arrive(clock, warp(1), 0)),
               "may come in an earlier phase of %empty[0] than 1");
  clock.barrier(1, 2);
  EXPECT_TRUE(empty.arrive(clock, warp(1), 0));
}

TEST_F(Barriers, TheOnlyArriverKnowsItsPhases) {
  for (int round = 0; round < 3; ++round) ASSERT_TRUE(full.arrive(clock, warp(0), 0));
  EXPECT_EQ(full.phase(), 3);
  EXPECT_TRUE(passes(full, 0, 0));  // Phase 2, which it completed itself.
}

TEST_F(Barriers, APhaseMayNotEndBeforeAWaitForTheOneBefore) {
  ASSERT_TRUE(full.arrive(clock, warp(0), 0));
  EXPECT_TRUE(passes(full, 1, 0));
  // Warp 0 does not know that warp 1 has waited.
  EXPECT_PRED2(contains, message(full.arrive(clock, warp(0), 0)),
               "warp 1 may miss phase 0 of %full[0]");
}

TEST_F(Barriers, AWaitThatTheBarrierHasOvertakenIsFound) {
  ASSERT_TRUE(full.arrive(clock, warp(0), 0));
  ASSERT_TRUE(full.arrive(clock, warp(0), 0));
  const Result<int64_t> target = full.begin_wait(clock, warp(1), 0);
  ASSERT_FALSE(target);
  EXPECT_PRED2(contains, target.error().message, "warp 1 may miss phase 0 of %full[0]");
}

TEST_F(Barriers, KnowledgePassesThroughBarriers) {
  const int64_t epoch = clock.epoch(0);
  ASSERT_TRUE(full.arrive(clock, warp(0), 0));
  for (const int64_t w : {1, 2}) {
    EXPECT_TRUE(passes(full, w, 0));
    ASSERT_TRUE(empty.arrive(clock, warp(w), 0));
  }
  EXPECT_TRUE(passes(empty, 3, 0));
  EXPECT_TRUE(clock.is_ordered(0, epoch, 3));
  EXPECT_EQ(clock.known(3)[full.agent()], 1);
}

}  // namespace
}  // namespace anybit::vm::reference
