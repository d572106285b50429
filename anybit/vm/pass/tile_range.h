// What the elements of integer register tiles can be, from how the tiles are computed: an index
// that was a byte needs no test against a table of 256.
#pragma once

#include <cstdint>
#include <vector>

#include "anybit/vm/ir/program.h"

namespace anybit::vm {

/// All integers from low to high.
struct TileRange {
  int64_t low = 0;
  int64_t high = 0;
};

class TileRanges {
 public:
  /// Pre: tiles are defined before they are used.
  explicit TileRanges(const Program& program);

  /// Holds of every element of `tile`, wherever it is used.
  /// Pre: a register tile of integers without fraction bits.
  TileRange range(ValueId tile) const { return ranges_[static_cast<size_t>(tile)]; }

 private:
  TileRange computed(const Program& program, const Instruction& instruction) const;

  std::vector<TileRange> ranges_;  // By tile.
};

}  // namespace anybit::vm
