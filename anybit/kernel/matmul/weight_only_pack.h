// Weights in the order in which the threads of weight_only_program() read them. The canonical
// packing (tensor/quantized_tensor.h) is what files hold; this one lives in memory, and each can be
// made of the other exactly.
#pragma once

#include <string>
#include <vector>

#include "anybit/base/parallel.h"
#include "anybit/kernel/matmul/weight_only_format.h"
#include "anybit/tensor/quantized_tensor.h"

namespace anybit::kernel {

/// A weight [n, k] in the order of the GPU. The buffers are what the program's pointers name.
struct PackedWeight {
  WeightOnlyFormat format;
  WeightTile tile;
  int64_t n = 0;
  int64_t k = 0;
  Buffer codes;  // [n tiles, k tiles, tile_bytes]; rows and columns beyond the weight: code 0.
  Buffer
      scales;  // Of groups: [n tiles, groups, tile.rows] in tile_scale_order(). Of rows: f32 [n].
  Buffer zero_points;  // uint8, ordered as the scales of groups; empty if there are none.
  float tensor_scale = 1;
  std::vector<float> codebook;

  /// Bytes that a product reads.
  int64_t size_bytes() const;
};

/// How the program sees a weight of this scheme with k columns: scales whose width is not 8, 16 or
/// 32 bits become f32, blocks become groups of each row, and zero points of whole rows one group.
/// Errors: kUnsupported for ggml types and complex elements.
Result<WeightOnlyFormat> weight_only_format(const numeric::Scheme& scheme, int64_t k,
                                            const numeric::ElementFormat& activation,
                                            const numeric::ElementFormat& output, bool has_bias);

/// Errors: as check_weight_only(), and kUnsupported if `format` is not weight_only_format() of the
/// weight's scheme. Pre: validate(weight) holds.
Result<PackedWeight> pack_weight_only(const tensor::QuantizedTensor& weight,
                                      const WeightOnlyFormat& format, const WeightTile& tile,
                                      Threads threads);

/// The canonical codes, bit for bit: [packed_size_bytes(n * k)].
Buffer unpack_weight_only_codes(const PackedWeight& packed, Threads threads);

/// The canonical scales and zero points of a weight of this scheme, bit for bit.
/// Pre: pack_weight_only() made `packed` of such a weight, and its scales are of the scheme's
/// format.
Buffer unpack_weight_only_scales(const PackedWeight& packed, const numeric::Scheme& scheme);
Buffer unpack_weight_only_zero_points(const PackedWeight& packed, const numeric::Scheme& scheme);

/// The values of row `row`, in double: what the product multiplies by, tensor_scale included. [k]
std::vector<double> packed_row_values(const PackedWeight& packed, int64_t row);

}  // namespace anybit::kernel
