#include "anybit/vm/ir/tensor_type.h"

#include <fmt/ranges.h>

namespace anybit::vm {

std::string_view memory_space_name(MemorySpace space) {
  switch (space) {
    case MemorySpace::kGlobal: return "global";
    case MemorySpace::kShared: return "shared";
    case MemorySpace::kRegister: return "register";
  }
  return "";
}

int64_t TensorType::num_elements() const {
  int64_t count = 1;
  for (const int64_t extent : shape) count *= extent;
  return count;
}

TensorType register_type(const numeric::ElementFormat& element, std::vector<int64_t> shape) {
  return {MemorySpace::kRegister, element, std::move(shape)};
}

TensorType shared_type(const numeric::ElementFormat& element, std::vector<int64_t> shape) {
  return {MemorySpace::kShared, element, std::move(shape)};
}

std::string shape_text(const std::vector<int64_t>& shape) {
  return fmt::format("[{}]", fmt::join(shape, ", "));
}

Status check_tile_shape(const std::vector<int64_t>& shape) {
  if (shape.empty() || shape.size() > kMaxTileRank) {
    return fail(ErrorCode::kInvalidArgument, "a tile of rank {}, expected 1 to {}", shape.size(),
                kMaxTileRank);
  }
  int64_t count = 1;
  for (const int64_t extent : shape) {
    if (extent < 1 || extent > kMaxTileElements || (count *= extent) > kMaxTileElements) {
      return fail(ErrorCode::kInvalidArgument,
                  "tile shape {}: expected positive extents, at most {} elements",
                  shape_text(shape), kMaxTileElements);
    }
  }
  return {};
}

}  // namespace anybit::vm
