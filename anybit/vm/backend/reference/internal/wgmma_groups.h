// The wgmma instructions of one warpgroup that are under way: in which group each is, which
// register tiles it uses, and which bytes of shared memory it reads.
#pragma once

#include <memory>
#include <vector>

#include "anybit/vm/backend/reference/internal/shared_arena.h"
#include "anybit/vm/ir/program.h"

namespace anybit::vm::reference {

/// Bytes of a shared allocation, each once.
struct SharedBytes {
  std::shared_ptr<SharedAllocation> storage;
  std::vector<int64_t> bytes;
};

struct PendingWgmma {
  int64_t group = 0;
  int place = 0;
  ValueId sum = kNoValue;
  ValueId a = kNoValue;  // If it is in registers.
  std::vector<SharedBytes> reads = {};
};

struct WgmmaGroups {
  int64_t num_committed = 0;
  std::vector<PendingWgmma> pending = {};  // In the order of issue.

  /// Takes out what a wait for all but the newest `groups` groups covers.
  std::vector<PendingWgmma> finish(int64_t groups) {
    std::vector<PendingWgmma> done, left;
    for (PendingWgmma& p : pending) {
      (p.group < num_committed - groups ? done : left).push_back(std::move(p));
    }
    pending = std::move(left);
    return done;
  }
};

}  // namespace anybit::vm::reference
