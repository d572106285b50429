// One barrier of an alloc_barrier tile: arrivals, announced bytes and phases.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "anybit/base/result.h"

namespace anybit::vm::reference {

class PhaseBarrier {
 public:
  explicit PhaseBarrier(int64_t arrivals) : arrivals_(arrivals), pending_(arrivals) {}

  int64_t phase() const { return phase_; }
  /// Whether a wait for this parity passes.
  bool is_complete(int64_t parity) const { return (phase_ & 1) != parity; }

  /// `count` arrivals, which announce `bytes` more. Errors: more than the phase has left.
  Status arrive(int64_t count, int64_t bytes) {
    if (count > pending_) {
      return fail(ErrorCode::kInvalidArgument,
                  "{} arrivals in phase {}, which counts {} and had {}", count, phase_, arrivals_,
                  arrivals_ - pending_);
    }
    pending_ -= count;
    bytes_ += bytes;
    advance();
    return {};
  }
  /// Copied bytes.
  void complete(int64_t bytes) {
    bytes_ -= bytes;
    advance();
  }

 private:
  void advance() {
    if (pending_ != 0 || bytes_ != 0) return;
    ++phase_;
    pending_ = arrivals_;
  }

  int64_t arrivals_;
  int64_t pending_;
  int64_t bytes_ = 0;  // Announced and not copied.
  int64_t phase_ = 0;
};

/// A tile of them: row-major barrier i.
struct BarrierTile {
  std::vector<int64_t> shape;
  std::shared_ptr<std::vector<PhaseBarrier>> barriers;
};

}  // namespace anybit::vm::reference
