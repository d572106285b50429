// The shared memory of one CTA: bytes that know who wrote and read them, so that unwritten, racing
// and too early accesses are found.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "anybit/vm/backend/reference/internal/arithmetic.h"
#include "anybit/vm/backend/reference/internal/barrier_clock.h"

namespace anybit::vm::reference {

/// Who accesses memory, and where in the program: > 0 a line, < 0 the number of a statement.
struct Accessor {
  int64_t thread = 0;  // Of the CTA.
  int place = 0;
};

/// "line 12", or "statement 3" of a program that was built.
std::string place_text(int place);

/// The bytes of one alloc_shared.
class SharedAllocation {
 public:
  SharedAllocation(std::string name, int64_t num_bits, int num_warps);

  const std::string& name() const { return name_; }
  int64_t num_bits() const { return static_cast<int64_t>(bytes_.size()) * 8; }

 private:
  friend class SharedArena;
  enum class WriteKind : uint8_t { kThread, kCopyAsync, kBulk };
  struct ByteState {
    uint8_t written = 0;  // Of each bit.
    WriteKind kind = WriteKind::kThread;
    /// The thread that last wrote it; of copy_async: the first of the owning warp; of bulk copies:
    /// the agent of their barrier.
    int64_t writer = -1;
    /// Of writes: the writer's interval. Of copy_async: the group's number. Of bulk copies: the
    /// phase.
    int64_t epoch = 0;
    int64_t num_fences = 0;  // Of writes: how many fence_async the writer's warp had executed.
    int place = 0;
  };
  /// What the threads of one warp did to one byte in its interval `epoch` (0: nothing).
  struct WarpAccess {
    int64_t epoch = 0;
    int64_t thread = -1;  // One thread, and another if there was one.
    int64_t other = -1;
    int place = 0;
  };

  /// The last bulk store of a warp that reads a byte.
  struct BulkRead {
    int64_t group = -1;
    int place = 0;
  };

  std::string name_;
  int num_warps_;
  bool is_freed_ = false;
  std::vector<std::byte> bytes_;
  std::vector<ByteState> states_;     // [bytes]
  std::vector<WarpAccess> reads_;     // [bytes, warps]
  std::vector<WarpAccess> atomics_;   // [bytes, warps]
  std::vector<BulkRead> bulk_reads_;  // [bytes, warps]
  Knowledge previous_uses_;           // The intervals up to which freed bytes were used.

  struct AsyncReads {
    int count = 0;
    int place = 0;  // Of the newest.
  };
  std::vector<AsyncReads> async_reads_;  // [bytes] Of wgmma under way; empty: never any.
};

/// The phase of a barrier that a bulk copy belongs to.
struct BulkPhase {
  int64_t agent = 0;  // Of the barrier.
  int64_t phase = 0;
};

class SharedArena {
 public:
  SharedArena(int num_warps, bool check_races);

  std::shared_ptr<SharedAllocation> allocate(std::string name, int64_t num_bits);

  /// Ends the life of an allocation. Errors: copies into it are under way; freed before.
  Status free(SharedAllocation& allocation);

  // Accesses of bits [bit, bit + count), count <= 32, by one thread.
  // Errors, kInvalidArgument: out of bounds, freed, unwritten, racing, or a copy that has not
  // arrived.
  Result<Code> read(SharedAllocation& allocation, int64_t bit, int count, const Accessor& who);
  Status write(SharedAllocation& allocation, int64_t bit, int count, Code code,
               const Accessor& who);
  /// Reads and then writes op(old); gives old.
  Result<Code> update(SharedAllocation& allocation, int64_t bit, int count, AtomicOp op,
                      const ElementFormat& element, Code value, const Accessor& who);

  /// A write by copy_async, in the group that the thread's warp has open.
  Status copy(SharedAllocation& allocation, int64_t bit, int count, Code code, const Accessor& who);
  /// Warps [first, first + count) close their group; wait until at most `groups` are under way.
  void commit(int64_t first, int64_t count);
  void wait(int64_t first, int64_t count, int64_t groups);

  /// read() for a wgmma. Errors: also bytes that threads wrote and showed by no fence_async.
  Result<Code> read_by_wgmma(SharedAllocation& allocation, int64_t bit, int count,
                             const Accessor& who);
  /// A wgmma reads these bytes until end_reading(), which notes the reading as done now by warps
  /// [first, first + count). Until then they may not be written.
  void begin_reading(SharedAllocation& allocation, const std::vector<int64_t>& bytes, int place);
  void end_reading(SharedAllocation& allocation, const std::vector<int64_t>& bytes, int64_t first,
                   int64_t count, int place);

  /// Warps [first, first + count) meet at a barrier.
  void barrier(int64_t first, int64_t count) { clock_.barrier(first, count); }
  BarrierClock& clock() { return clock_; }
  bool checks_races() const { return check_races_; }

  /// A write by a bulk copy that `who` starts; it has arrived at the end of `phase`. Whole bytes.
  /// Errors: as write(); bytes that threads wrote and showed by no fence_async.
  Status bulk_copy(SharedAllocation& allocation, int64_t bit, int count, Code code,
                   const Accessor& who, const BulkPhase& phase);
  /// A read by a bulk store that `who` starts, in the group that its warp has open.
  Result<Code> bulk_read(SharedAllocation& allocation, int64_t bit, int count, const Accessor& who);
  /// `warp` closes its group of bulk stores; waits until at most `groups` still read.
  void commit_stores(int64_t warp) { ++stores_[static_cast<size_t>(warp)].num_committed; }
  void wait_stores(int64_t warp, int64_t groups) { note_arrivals(stores_, warp, groups); }
  /// Errors: a bulk store may still read when the kernel ends.
  Status check_end() const;
  /// Warps [first, first + count) execute fence_async.
  void fence_async(int64_t first, int64_t count);

 private:
  struct CopyGroups {
    int64_t num_committed = 0;
    std::vector<int64_t> arrival_epochs;  // Of the groups that a wait has covered.
    int64_t last_group = -1;              // Of bulk stores: the group of the last, and its place.
    int last_place = 0;
  };

  void note_arrivals(std::vector<CopyGroups>& groups_of, int64_t warp, int64_t groups) const;
  Status check_bulk_reads(const SharedAllocation& allocation, int64_t byte, const Accessor& who,
                          std::string_view verb) const;
  Status free_bulk_reads(const SharedAllocation& allocation);
  void note_freed(int64_t agent, int64_t epoch);
  Status check_bounds(const SharedAllocation& allocation, int64_t bit, int count) const;
  Status check_arrived(const SharedAllocation& allocation, int64_t byte, const Accessor& who,
                       std::string_view verb) const;
  Status check_last_write(const SharedAllocation& allocation, int64_t byte, const Accessor& who,
                          bool is_copy, std::string_view verb) const;
  Status check_others(const SharedAllocation& allocation, int64_t byte, const Accessor& who,
                      bool is_copy, std::string_view verb, bool atomics) const;
  Status check_not_read(const SharedAllocation& allocation, int64_t byte, const Accessor& who,
                        std::string_view verb) const;
  Status check_previous_uses(const SharedAllocation& allocation, const Accessor& who) const;
  Status check_fenced(const SharedAllocation& allocation, int64_t byte, const Accessor& who,
                      std::string_view verb) const;
  Status check_write(const SharedAllocation& allocation, int64_t byte, const Accessor& who,
                     bool is_copy, std::string_view verb) const;
  void note(std::vector<SharedAllocation::WarpAccess>& accesses, int64_t byte,
            const Accessor& who) const;

  int num_warps_;
  bool check_races_;
  BarrierClock clock_;
  std::vector<CopyGroups> copies_;            // [warps]
  std::vector<CopyGroups> stores_;            // [warps] Of bulk stores.
  std::vector<std::vector<int64_t>> fences_;  // [warps] The intervals of its fence_async.
  Knowledge freed_uses_;                      // The intervals up to which freed bytes were used.
};

}  // namespace anybit::vm::reference
