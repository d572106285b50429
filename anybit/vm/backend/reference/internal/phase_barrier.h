// One barrier of an alloc_barrier tile: its phases, and what passes through them from those who
// arrive to those who wait. Mistakes are found in every schedule, not only the one that runs: what
// belongs to a phase must be ordered after the phase before, and a wait before the phase after.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "anybit/base/result.h"
#include "anybit/vm/backend/reference/internal/barrier_clock.h"
#include "anybit/vm/backend/reference/internal/shared_arena.h"

namespace anybit::vm::reference {

class PhaseBarrier {
 public:
  /// `name`: "%full[2]". `agent`: of the clock, for this barrier.
  PhaseBarrier(std::string name, int64_t agent, int64_t arrivals, bool check_order)
      : name_(std::move(name)),
        agent_(agent),
        arrivals_(arrivals),
        check_order_(check_order),
        pending_(arrivals) {}

  const std::string& name() const { return name_; }
  int64_t agent() const { return agent_; }
  int64_t phase() const { return phase_; }  // The current one.

  /// One arrival of `who`'s warp, which announces `bytes`. Errors, kInvalidArgument: the phase has
  /// had all its arrivals, or may not have begun; a wait may miss the phase that this completes.
  Status arrive(BarrierClock& clock, const Accessor& who, int64_t bytes);

  /// A copy of `bytes` begins, of the current phase. Errors: the phase may not have begun.
  Status begin_copy(BarrierClock& clock, const Accessor& who, int64_t bytes);
  /// It has arrived. Errors: more bytes than were announced; a wait may miss the next phase.
  Status end_copy(int64_t bytes);

  /// The number of phases that must be complete for a wait of `who`'s warp for this parity.
  /// Errors: the phase after may be complete by then.
  Result<int64_t> begin_wait(BarrierClock& clock, const Accessor& who, int64_t parity);
  /// The wait is over. Pre: phase() >= target.
  void end_wait(BarrierClock& clock, const Accessor& who) const;

  /// "phase 3 of %full[1] (line 12), which has had 0 of 1 arrivals". `target`: of begin_wait().
  std::string waiting_text(int64_t target, int place) const;

  /// Errors: a copy may be under way when the kernel ends, for no warp has waited for it.
  Status check_end(const BarrierClock& clock, int64_t num_warps) const;

 private:
  struct Wait {
    int64_t warp;
    int64_t target;
    int64_t epoch;  // Of the warp, when it began to wait.
    int place;
  };
  struct Arrival {
    int64_t warp;
    int64_t epoch;
  };

  void learn(BarrierClock& clock, const Accessor& who) const;
  Status check_begun(BarrierClock& clock, const Accessor& who, std::string_view what) const;
  Status advance();
  std::string missed_text(const Wait& wait) const;

  std::string name_;
  int64_t agent_;
  int64_t arrivals_;
  bool check_order_;
  int64_t pending_;
  int64_t bytes_ = 0;  // Announced and not copied.
  int64_t phase_ = 0;
  bool has_bytes_ = false, had_bytes_ = false;  // Of this phase, of the one before.
  std::vector<Arrival> arrived_, before_;       // In this phase, in the one before.
  Knowledge incoming_, complete_;               // Of all arrivals; up to the last complete phase.
  std::vector<Wait> waits_;
  int64_t last_copy_phase_ = -1;
  int last_copy_place_ = 0;
};

/// A tile of them: row-major barrier i.
struct BarrierTile {
  std::vector<int64_t> shape;
  std::shared_ptr<std::vector<PhaseBarrier>> barriers;
};

}  // namespace anybit::vm::reference
