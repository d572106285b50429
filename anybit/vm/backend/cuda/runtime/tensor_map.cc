#include "anybit/vm/backend/cuda/runtime/tensor_map.h"

namespace anybit::vm::cuda {
namespace {

constexpr int64_t kMaxExtent = int64_t{1} << 32;
constexpr int64_t kMaxStride = int64_t{1} << 40;
constexpr int64_t kMaxBox = 256;
constexpr int64_t kAlignment = 16;

struct UnitRow {
  int bytes;
  int data_type;  // CUtensorMapDataType
};

constexpr UnitRow kUnits[] = {{1, 0}, {2, 1}, {4, 2}, {8, 4}};

struct SwizzleRow {
  Swizzle swizzle;
  int64_t span_bytes;
};

constexpr SwizzleRow kSwizzles[] = {
    {Swizzle::k32Bytes, 32}, {Swizzle::k64Bytes, 64}, {Swizzle::k128Bytes, 128}};

template <class... Args>
tl::unexpected<Error> refuse(fmt::format_string<Args...> format, Args&&... args) {
  return fail(ErrorCode::kInvalidArgument, "tensor map: {}",
              fmt::format(format, std::forward<Args>(args)...));
}

Status check_extents(const TensorMapOptions& o) {
  if (o.bits_per_element < 1 || o.bits_per_element > 64) {
    return refuse("expected elements of 1 to 64 bits, found {}", o.bits_per_element);
  }
  if (o.rows < 1 || o.rows > kMaxExtent || o.columns < 1 || o.columns > kMaxExtent) {
    return refuse("expected 1 to 2^32 rows and columns, found {} x {}", o.rows, o.columns);
  }
  if (o.box_rows < 1 || o.box_rows > kMaxBox || o.box_columns < 1 || o.box_columns > kMaxBox * 64) {
    return refuse("expected boxes of 1 to 256 rows and at least 1 column, found {} x {}",
                  o.box_rows, o.box_columns);
  }
  if (o.address == 0 || o.address % kAlignment != 0) {
    return refuse("expected an address aligned to 16, found {:#x}", o.address);
  }
  if (o.columns * o.bits_per_element % 8 != 0 || o.box_columns * o.bits_per_element % 8 != 0) {
    return refuse("{} columns, boxes of {}, of {} bits: expected whole bytes", o.columns,
                  o.box_columns, o.bits_per_element);
  }
  return {};
}

/// The element itself where it is a unit, so that coordinates count elements; else a byte.
int natural_unit(int bits_per_element) {
  for (const UnitRow& unit : kUnits) {
    if (unit.bytes * 8 == bits_per_element) return unit.bytes;
  }
  return 1;
}

Status check_device(const Device& device) {
  constexpr int kHopper = 9;
  if (device.properties().compute_major >= kHopper) return {};
  return fail(ErrorCode::kUnsupported, "tensor map: {} (compute capability {}.{}) has no TMA",
              device.properties().name, device.properties().compute_major,
              device.properties().compute_minor);
}

constexpr int kNoInterleave = 0;
constexpr int kPromoteTo256Bytes = 3;  // L2 fetches of 256 bytes.
constexpr int kFillZero = 0;

}  // namespace

Result<TensorMapUnits> tensor_map_units(const TensorMapOptions& options) {
  ANYBIT_TRY(check_extents(options));
  const int64_t row_bytes = options.columns * options.bits_per_element / 8;
  const int64_t box_bytes = options.box_columns * options.bits_per_element / 8;
  if (options.row_stride_bytes % kAlignment != 0 || options.row_stride_bytes < row_bytes ||
      options.row_stride_bytes >= kMaxStride) {
    return refuse("expected a row stride of a multiple of 16 bytes, at least {}, found {}",
                  row_bytes, options.row_stride_bytes);
  }
  if (box_bytes % kAlignment != 0) {
    return refuse("expected boxes of a multiple of 16 bytes, found {}", box_bytes);
  }
  for (const SwizzleRow& row : kSwizzles) {
    if (row.swizzle == options.swizzle && box_bytes > row.span_bytes) {
      return refuse("a swizzle of {} bytes cannot hold boxes of {}", row.span_bytes, box_bytes);
    }
  }
  for (const UnitRow& unit : kUnits) {
    const bool is_whole = row_bytes % unit.bytes == 0 && box_bytes % unit.bytes == 0;
    if (unit.bytes >= natural_unit(options.bits_per_element) && is_whole &&
        box_bytes / unit.bytes <= kMaxBox && row_bytes / unit.bytes <= kMaxExtent) {
      return TensorMapUnits{unit.bytes, row_bytes / unit.bytes, box_bytes / unit.bytes};
    }
  }
  return refuse("rows of {} bytes with boxes of {}: no unit divides both with at most 256 a box",
                row_bytes, box_bytes);
}

Result<TensorMap> encode_tensor_map(const Device& device, const TensorMapOptions& options) {
  ANYBIT_ASSIGN(const TensorMapUnits units, tensor_map_units(options));
  ANYBIT_TRY(check_device(device));
  int data_type = 0;
  for (const UnitRow& unit : kUnits) {
    if (unit.bytes == units.unit_bytes) data_type = unit.data_type;
  }
  const uint64_t extents[] = {static_cast<uint64_t>(units.columns),
                              static_cast<uint64_t>(options.rows)};
  const uint64_t strides[] = {static_cast<uint64_t>(options.row_stride_bytes)};
  const uint32_t box[] = {static_cast<uint32_t>(units.box_columns),
                          static_cast<uint32_t>(options.box_rows)};
  const uint32_t element_strides[] = {1, 1};
  constexpr int kRank = 2;
  TensorMap map;
  ANYBIT_TRY(device.make_current());
  ANYBIT_TRY(check_driver(
      device.api(),
      device.api().tensor_map_encode_tiled(
          &map, data_type, kRank, reinterpret_cast<void*>(options.address), extents, strides, box,
          element_strides, kNoInterleave, static_cast<int>(options.swizzle), kPromoteTo256Bytes,
          kFillZero),
      fmt::format("encoding a tensor map of {} x {} elements of {} bits in boxes of {} x {}",
                  options.rows, options.columns, options.bits_per_element, options.box_rows,
                  options.box_columns)));
  return map;
}

Result<TensorMap> encode_tensor_box_map(const Device& device, const TensorBoxOptions& options) {
  constexpr size_t kMaxRank = 5;
  const size_t rank = options.extents.size();
  if (rank < 1 || rank > kMaxRank || options.stride_bytes.size() != rank ||
      options.box.size() != rank) {
    return refuse("expected a rank of 1 to 5, found {} extents, {} strides, {} box sides", rank,
                  options.stride_bytes.size(), options.box.size());
  }
  ANYBIT_TRY(check_device(device));
  int data_type = -1;
  for (const UnitRow& unit : kUnits) {
    if (unit.bytes == options.element_bytes) data_type = unit.data_type;
  }
  if (data_type < 0) return refuse("elements of {} bytes", options.element_bytes);
  uint64_t extents[kMaxRank] = {}, strides[kMaxRank] = {};
  uint32_t box[kMaxRank] = {}, element_strides[kMaxRank] = {};
  for (size_t d = 0; d < rank; ++d) {
    const size_t from = rank - 1 - d;  // The driver counts from the fastest.
    extents[d] = static_cast<uint64_t>(options.extents[from]);
    box[d] = static_cast<uint32_t>(options.box[from]);
    element_strides[d] = 1;
    if (d > 0) strides[d - 1] = static_cast<uint64_t>(options.stride_bytes[from]);
  }
  TensorMap map;
  ANYBIT_TRY(device.make_current());
  ANYBIT_TRY(check_driver(
      device.api(),
      device.api().tensor_map_encode_tiled(
          &map, data_type, static_cast<uint32_t>(rank), reinterpret_cast<void*>(options.address),
          extents, strides, box, element_strides, kNoInterleave, static_cast<int>(options.swizzle),
          kPromoteTo256Bytes, kFillZero),
      fmt::format("encoding a tensor map of rank {}, elements of {} bytes", rank,
                  options.element_bytes)));
  return map;
}

}  // namespace anybit::vm::cuda
