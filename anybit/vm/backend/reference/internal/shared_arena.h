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
  struct ByteState {
    uint8_t written = 0;  // Of each bit.
    bool is_async = false;
    int64_t writer = -1;  // The thread that last wrote it; of copies: the first of the owning warp.
    int64_t epoch = 0;    // Of writes: the writer's interval. Of copies: the group's number.
    int place = 0;
  };
  /// What the threads of one warp did to one byte in its interval `epoch` (0: nothing).
  struct WarpAccess {
    int64_t epoch = 0;
    int64_t thread = -1;  // One thread, and another if there was one.
    int64_t other = -1;
    int place = 0;
  };

  std::string name_;
  int num_warps_;
  bool is_freed_ = false;
  std::vector<std::byte> bytes_;
  std::vector<ByteState> states_;    // [bytes]
  std::vector<WarpAccess> reads_;    // [bytes, warps]
  std::vector<WarpAccess> atomics_;  // [bytes, warps]
  struct AsyncReads {
    int count = 0;
    int place = 0;  // Of the newest.
  };

  std::vector<AsyncReads> async_reads_;  // [bytes] Of wgmma under way; empty: never any.
  std::vector<int64_t> previous_uses_;   // [warps] Last interval in which freed bytes were used.
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

  /// A wgmma reads these bytes until end_reading(), which notes the reading as done now by warps
  /// [first, first + count). Until then they may not be written.
  void begin_reading(SharedAllocation& allocation, const std::vector<int64_t>& bytes, int place);
  void end_reading(SharedAllocation& allocation, const std::vector<int64_t>& bytes, int64_t first,
                   int64_t count, int place);

  /// Warps [first, first + count) meet at a barrier.
  void barrier(int64_t first, int64_t count) { clock_.barrier(first, count); }

 private:
  struct CopyGroups {
    int64_t num_committed = 0;
    std::vector<int64_t> arrival_epochs;  // Of the groups that a wait has covered.
  };

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
  Status check_write(const SharedAllocation& allocation, int64_t byte, const Accessor& who,
                     bool is_copy, std::string_view verb) const;
  void note(std::vector<SharedAllocation::WarpAccess>& accesses, int64_t byte,
            const Accessor& who) const;

  int num_warps_;
  bool check_races_;
  BarrierClock clock_;
  std::vector<CopyGroups> copies_;   // [warps]
  std::vector<int64_t> freed_uses_;  // [warps] Last interval in which freed bytes were used.
};

}  // namespace anybit::vm::reference
