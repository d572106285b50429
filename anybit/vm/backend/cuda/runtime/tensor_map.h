// TensorMap: the descriptor with which the tensor memory accelerator (TMA) of Hopper and later
// copies boxes of a matrix between global and shared memory.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "anybit/base/result.h"
#include "anybit/vm/backend/cuda/runtime/device.h"

namespace anybit::vm::cuda {

/// Which bits of a shared address are exchanged by xor, so that a column of 16-byte pieces lies in
/// different banks: the box's rows are as wide as the name says, or narrower.
enum class Swizzle : uint8_t { kNone = 0, k32Bytes = 1, k64Bytes = 2, k128Bytes = 3 };

/// A matrix in global memory and the box copied at a time. Elements are bit patterns: for TMA a
/// format is only its width, and what lies outside the matrix reads as zero bits.
struct TensorMapOptions {
  DevicePointer address = 0;  // Aligned to 16.
  int bits_per_element = 16;  // 1..64; packed, element i of a row being bits [i*b, (i+1)*b).
  int64_t rows = 0;
  int64_t columns = 0;
  int64_t row_stride_bytes = 0;  // A multiple of 16; at least what a row takes.
  int64_t box_rows = 0;          // 1..256
  int64_t box_columns = 0;
  Swizzle swizzle = Swizzle::kNone;
};

/// CUtensorMap: opaque; passed to a kernel by value, as a __grid_constant__ parameter.
struct alignas(128) TensorMap {
  std::array<uint64_t, 16> opaque{};
};

/// How a matrix of packed elements looks to TMA, which counts in units of 1, 2, 4 or 8 bytes.
struct TensorMapUnits {
  int unit_bytes = 1;
  int64_t columns = 0;      // In units, as below.
  int64_t box_columns = 0;  // At most 256.
};

/// The element if it has 8, 16, 32 or 64 bits, else a byte; or, if a box had more than 256 columns
/// of it, the next wider unit in which rows and boxes are whole. A box may be larger than the
/// matrix. The coordinates that a kernel gives are in these units too.
/// Errors: kInvalidArgument naming the rule that `options` breaks: positive extents below 2^32;
/// rows of whole bytes, boxes of whole multiples of 16 bytes, no wider than the swizzle; address
/// and stride as TensorMapOptions says. Source: CUDA Driver API 13.0, cuTensorMapEncodeTiled.
Result<TensorMapUnits> tensor_map_units(const TensorMapOptions& options);

/// Makes the descriptor. Errors: as tensor_map_units(); kUnsupported on devices before Hopper; what
/// the driver says.
Result<TensorMap> encode_tensor_map(const Device& device, const TensorMapOptions& options);

/// A tensor of elements that are units themselves, and the box copied at a time; dimensions from
/// the outermost to the fastest. Shapes: extents, stride_bytes, box: [rank].
struct TensorBoxOptions {
  DevicePointer address = 0;               // Aligned to 16.
  int element_bytes = 2;                   // 1, 2, 4, 8
  std::vector<int64_t> extents = {};       // 1..2^32
  std::vector<int64_t> stride_bytes = {};  // Multiples of 16; the last is the element's.
  std::vector<int64_t> box = {};           // 1..256
  Swizzle swizzle = Swizzle::kNone;
};

/// Makes the descriptor. Errors: kInvalidArgument for ranks outside 1 to 5 or numbers of extents,
/// strides and sides that differ; kUnsupported on devices before Hopper; what the driver says.
Result<TensorMap> encode_tensor_box_map(const Device& device, const TensorBoxOptions& options);

}  // namespace anybit::vm::cuda
