#include "anybit/vm/backend/reference/internal/global_memory.h"

#include <algorithm>

#include "anybit/vm/backend/reference/internal/bit_string.h"

namespace anybit::vm::reference {

std::optional<__int128> GlobalTensor::index_of(std::span<const int64_t> coords) const {
  __int128 index = 0;
  for (size_t d = 0; d < extents.size(); ++d) {
    if (coords[d] < 0 || coords[d] >= extents[d]) return std::nullopt;
    index += static_cast<__int128>(coords[d]) * strides[d];
  }
  return index;
}

Result<int64_t> GlobalTensor::bit_of(__int128 index) const {
  const __int128 first = index * element.bits;
  const auto size = static_cast<int64_t>(region.bytes.size());
  if (first >= 0 && first + element.bits <= static_cast<__int128>(size) * 8) {
    return static_cast<int64_t>(first);
  }
  // Rounded down, for messages; far outside is far outside.
  const __int128 byte = first >= 0 ? first / 8 : (first - 7) / 8;
  const auto shown = static_cast<int64_t>(std::clamp<__int128>(byte, INT64_MIN, INT64_MAX));
  return fail(ErrorCode::kInvalidArgument, "out of bounds: byte {} of the {} bytes at {}", shown,
              size, region.name);
}

Result<Code> GlobalTensor::read(__int128 index) const {
  ANYBIT_ASSIGN(const int64_t bit, bit_of(index));
  return read_bits(region.bytes.data(), bit, element.bits);
}

Status GlobalTensor::write(__int128 index, Code code) const {
  ANYBIT_ASSIGN(const int64_t bit, bit_of(index));
  write_bits(region.bytes.data(), bit, element.bits, code);
  return {};
}

}  // namespace anybit::vm::reference
