#include "anybit/layout/dims.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace anybit::layout {

Result<Dims> checked_shape(std::span<const int64_t> shape) {
  if (shape.size() > static_cast<size_t>(kMaxRank)) {
    return fail(ErrorCode::kInvalidArgument, "a tile has at most {} dimensions, found {}", kMaxRank,
                shape.size());
  }
  int64_t size = 1;
  for (size_t d = 0; d < shape.size(); ++d) {
    if (shape[d] < 1) {
      return fail(ErrorCode::kInvalidArgument, "dimension {} must be at least 1, found {}", d,
                  shape[d]);
    }
    if (shape[d] > kMaxElements / size) {
      return fail(ErrorCode::kInvalidArgument, "a tile has at most {} elements, found [{}]",
                  kMaxElements, fmt::join(shape, ","));
    }
    size *= shape[d];
  }
  return Dims(shape);
}

Result<Dims> broadcast_shape(const Dims& a, const Dims& b) {
  const int rank = std::max(a.size(), b.size());
  const Dims left = pad_left(a, rank);
  const Dims right = pad_left(b, rank);
  Dims shape = left;
  for (int d = 0; d < rank; ++d) {
    if (left[d] != right[d] && left[d] != 1 && right[d] != 1) {
      return fail(ErrorCode::kInvalidArgument, "{} and {} differ in dimension {}: {} and {}",
                  to_string(a), to_string(b), d, left[d], right[d]);
    }
    shape[d] = std::max(left[d], right[d]);
  }
  return checked_shape(shape);
}

std::string to_string(const Dims& dims) {
  return fmt::format("[{}]", fmt::join(dims.begin(), dims.end(), ","));
}

}  // namespace anybit::layout
