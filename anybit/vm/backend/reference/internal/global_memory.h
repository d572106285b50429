// Global memory: the regions that the launch's pointers may reach, and strided tensors in them.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "anybit/vm/backend/reference/internal/arithmetic.h"

namespace anybit::vm::reference {

/// The memory behind one pointer parameter.
struct GlobalRegion {
  std::string name;
  std::span<std::byte> bytes;
};

/// The result of a global_view.
struct GlobalTensor {
  GlobalRegion region;
  ElementFormat element;
  std::vector<int64_t> extents;
  std::vector<int64_t> strides;

  /// The index of the element at `coords` in the bit stream; nothing if it lies outside the
  /// extents. Pre: extents and strides are within kMaxExtent.
  std::optional<__int128> index_of(std::span<const int64_t> coords) const;

  // Errors: kInvalidArgument if the element lies outside the region.
  Result<Code> read(__int128 index) const;
  Status write(__int128 index, Code code) const;

 private:
  Result<int64_t> bit_of(__int128 index) const;
};

/// The largest extent, and the largest magnitude of a stride, in elements.
inline constexpr int64_t kMaxExtent = int64_t{1} << 56;

}  // namespace anybit::vm::reference
