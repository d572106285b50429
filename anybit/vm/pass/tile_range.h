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
  /// `program` must outlive this and not change.
  explicit TileRanges(const Program& program);

  /// Holds of every element of `tile`, wherever it is used.
  /// Pre: a register tile of integers without fraction bits.
  TileRange range(ValueId tile) const;

 private:
  TileRange computed(const Instruction& instruction) const;

  const Program& program_;
  std::vector<const Instruction*> definitions_;  // Null: none, or the tile is changed later.
};

}  // namespace anybit::vm
