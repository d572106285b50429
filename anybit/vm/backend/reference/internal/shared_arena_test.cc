#include "anybit/vm/backend/reference/internal/shared_arena.h"

#include <gtest/gtest.h>

namespace anybit::vm::reference {
namespace {

/// Four warps and a tile of 64 bytes.
struct Arena : ::testing::Test {
  SharedArena arena{4, true};
  std::shared_ptr<SharedAllocation> tile = arena.allocate("s", 64 * 8);

  Status write(int64_t thread, int64_t byte, Code code = 1) {
    return arena.write(*tile, byte * 8, 8, code, {thread, 10});
  }
  Result<Code> read(int64_t thread, int64_t byte) {
    return arena.read(*tile, byte * 8, 8, {thread, 20});
  }
  Result<Code> update(int64_t thread, int64_t byte) {
    return arena.update(*tile, byte * 8, 32, AtomicOp::kAdd, kInt32, 1, {thread, 30});
  }
  Status copy(int64_t thread, int64_t byte, Code code = 7) {
    return arena.copy(*tile, byte * 8, 8, code, {thread, 40});
  }
  void sync() { arena.barrier(0, 4); }
};

template <class T>
std::string message(const Result<T>& result) {
  return result ? "no error" : result.error().message;
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST_F(Arena, AThreadReadsWhatItWroteAndOthersAfterASync) {
  ASSERT_TRUE(write(3, 5, 77));
  EXPECT_EQ(read(3, 5).value(), 77U);
  EXPECT_EQ(message(read(4, 5)),
            "race: thread 4 reads byte 5 of %s, which thread 3 wrote (line 10), with no sync "
            "between");
  sync();
  EXPECT_EQ(read(4, 5).value(), 77U);
}

TEST_F(Arena, UnwrittenBytesAndBitsAreFound) {
  EXPECT_EQ(message(read(0, 0)), "thread 0 reads byte 0 of %s, which nobody has written");
  ASSERT_TRUE(arena.write(*tile, 4, 3, 5, {0, 1}));  // Bits 4 to 6.
  EXPECT_EQ(arena.read(*tile, 4, 3, {0, 1}).value(), 5U);
  EXPECT_FALSE(arena.read(*tile, 4, 4, {0, 1}));
  EXPECT_FALSE(arena.read(*tile, 3, 2, {0, 1}));
}

TEST_F(Arena, WritingAfterAnotherReadOrWriteIsARace) {
  ASSERT_TRUE(write(0, 0));
  EXPECT_PRED2(contains, message(write(1, 0)),
               "thread 1 writes byte 0 of %s, which thread 0 wrote");
  sync();
  ASSERT_TRUE(read(40, 0));
  ASSERT_TRUE(read(41, 0));
  EXPECT_PRED2(contains, message(write(40, 0)), "which thread 41 read (line 20)");
  EXPECT_PRED2(contains, message(write(41, 0)), "which thread 40 read (line 20)");
  sync();
  EXPECT_TRUE(write(40, 0));
}

TEST_F(Arena, AThreadIsOrderedWithItself) {
  ASSERT_TRUE(write(0, 0));
  ASSERT_TRUE(read(0, 0));
  EXPECT_TRUE(write(0, 0));
}

TEST_F(Arena, ABarrierOrdersOnlyThoseWhoMeet) {
  ASSERT_TRUE(write(0, 0));
  arena.barrier(0, 2);
  EXPECT_TRUE(read(33, 0));
  EXPECT_FALSE(read(64, 0));
  arena.barrier(1, 2);  // Warp 1 passes on what it knows of warp 0.
  EXPECT_TRUE(read(64, 0));
  EXPECT_FALSE(read(96, 0));
}

TEST_F(Arena, AtomicsDoNotRaceWithEachOther) {
  for (int64_t byte = 0; byte < 4; ++byte) ASSERT_TRUE(write(0, byte, 0));
  EXPECT_PRED2(contains, message(update(1, 0)), "thread 1 updates byte 0");
  sync();
  for (const int64_t thread : {0, 1, 64}) ASSERT_TRUE(update(thread, 0));
  EXPECT_PRED2(contains, message(read(0, 0)), "updated (line 30)");
  EXPECT_PRED2(contains, message(write(0, 0)), "updated (line 30)");
  sync();
  EXPECT_EQ(read(5, 0).value(), 3U);
  EXPECT_PRED2(contains, message(update(6, 0)), "which thread 5 read");
  EXPECT_FALSE(update(6, 8));  // Nobody has written it.
}

TEST_F(Arena, ACopyArrivesAtTheWaitAndIsSeenAfterASync) {
  ASSERT_TRUE(copy(0, 0));
  EXPECT_PRED2(contains, message(read(0, 0)),
               "copy_async of line 40 is under way: it has not been "
               "committed");
  arena.commit(0, 4);
  EXPECT_PRED2(contains, message(read(0, 0)), "no copy_async_wait has covered its group");
  EXPECT_PRED2(contains, message(write(0, 0)), "no copy_async_wait has covered its group");
  arena.wait(0, 4, 1);  // One may stay under way.
  EXPECT_PRED2(contains, message(read(0, 0)), "no copy_async_wait has covered its group");
  arena.wait(0, 4, 0);
  EXPECT_PRED2(contains, message(read(0, 0)), "with no sync after the copy_async_wait");
  sync();
  EXPECT_EQ(read(99, 0).value(), 7U);
}

TEST_F(Arena, ASyncBeforeTheWaitDoesNotCount) {
  ASSERT_TRUE(copy(0, 0));
  arena.commit(0, 4);
  sync();
  arena.wait(0, 4, 0);
  EXPECT_PRED2(contains, message(read(0, 0)), "with no sync after the copy_async_wait");
}

TEST_F(Arena, GroupsArriveInOrder) {
  ASSERT_TRUE(copy(0, 0));
  arena.commit(0, 4);
  ASSERT_TRUE(copy(0, 1));
  arena.commit(0, 4);
  arena.wait(0, 4, 1);
  sync();
  EXPECT_TRUE(read(0, 0));
  EXPECT_FALSE(read(0, 1));
}

TEST_F(Arena, ACopyMayNotOverwriteWhatIsStillRead) {
  ASSERT_TRUE(write(0, 0));
  EXPECT_PRED2(contains, message(copy(0, 0)),
               "thread 0 copies to byte 0 of %s, which thread 0 "
               "wrote");
  sync();
  ASSERT_TRUE(read(0, 0));
  EXPECT_PRED2(contains, message(copy(0, 0)), "which thread 0 read");
  sync();
  EXPECT_TRUE(copy(0, 0));
  EXPECT_PRED2(contains, message(copy(0, 0)), "is under way");
}

TEST_F(Arena, FreedTilesAreGone) {
  ASSERT_TRUE(write(0, 0));
  ASSERT_TRUE(arena.free(*tile));
  EXPECT_EQ(message(read(0, 0)), "%s has been freed");
  EXPECT_FALSE(arena.free(*tile));
}

TEST_F(Arena, FreedBytesMayBeTakenAfterASync) {
  ASSERT_TRUE(write(0, 0));
  ASSERT_TRUE(arena.free(*tile));
  tile = arena.allocate("next", 64);
  EXPECT_PRED2(contains, message(write(0, 0)), "may be those of a freed tile that warp 0 used");
  sync();
  EXPECT_TRUE(write(0, 0));
}

TEST_F(Arena, ATileIsNotFreedUnderACopy) {
  ASSERT_TRUE(copy(0, 0));
  arena.commit(0, 4);
  EXPECT_PRED2(contains, message(arena.free(*tile)), "is freed while the copy_async of line 40");
  arena.wait(0, 4, 0);
  EXPECT_TRUE(arena.free(*tile));
}

TEST_F(Arena, BoundsAreChecked) {
  EXPECT_FALSE(write(0, 64));
  EXPECT_FALSE(read(0, -1));
  EXPECT_FALSE(copy(0, 64));
}

TEST(SharedArena, RacesAreIgnoredIfAsked) {
  SharedArena arena(1, false);
  const auto tile = arena.allocate("s", 8);
  ASSERT_TRUE(arena.write(*tile, 0, 8, 1, {0, 1}));
  EXPECT_TRUE(arena.read(*tile, 0, 8, {1, 1}));
  EXPECT_TRUE(arena.write(*tile, 0, 8, 1, {2, 1}));
}

TEST_F(Arena, BulkCopiesMayBeReadAfterTheirPhase) {
  const int64_t agent = arena.clock().add_agent();
  ASSERT_TRUE(arena.bulk_copy(*tile, 0, 8, 9, {0, 40}, {agent, 0}));
  EXPECT_PRED2(contains, message(read(33, 0)),
               "thread 33 reads byte 0 of %s, which the copy_bulk of line 40 writes");
  EXPECT_PRED2(contains, message(write(33, 0)), "which the copy_bulk of line 40 writes");
  arena.clock().learn(1, agent, 1);
  EXPECT_EQ(read(33, 0).value(), 9U);
  EXPECT_FALSE(read(65, 0));
}

TEST_F(Arena, BulkCopiesAreFencedFromWritesOfThreads) {
  const int64_t agent = arena.clock().add_agent();
  ASSERT_TRUE(write(0, 0));
  sync();
  EXPECT_PRED2(contains, message(arena.bulk_copy(*tile, 0, 8, 9, {0, 40}, {agent, 0})),
               "with no fence_async of that thread");
  arena.fence_async(0, 1);
  EXPECT_FALSE(arena.bulk_copy(*tile, 0, 8, 9, {0, 40}, {agent, 0}));
  sync();
  EXPECT_TRUE(arena.bulk_copy(*tile, 0, 8, 9, {0, 40}, {agent, 0}));
}

TEST_F(Arena, BulkStoresKeepTheirTileUntilAwaited) {
  ASSERT_TRUE(write(32, 0, 5));
  arena.fence_async(1, 1);
  sync();
  EXPECT_EQ(arena.bulk_read(*tile, 0, 8, {0, 40}).value(), 5U);
  EXPECT_PRED2(contains, message(arena.check_end()), "it has not been committed");
  arena.commit_stores(0);
  EXPECT_PRED2(contains, message(write(32, 0)), "no store_bulk_wait has covered its group");
  EXPECT_EQ(read(32, 0).value(), 5U);  // Reading is no matter.
  arena.wait_stores(0, 0);
  EXPECT_TRUE(arena.check_end());
  EXPECT_PRED2(contains, message(write(32, 0)), "no sync follows the store_bulk_wait");
  sync();
  EXPECT_TRUE(write(32, 0));
}

}  // namespace
}  // namespace anybit::vm::reference
