// Weights of 1 to 8 bits as GPU matrix products read them: which formats there are, and in which
// order a warp's lanes keep the codes of a tile. The program (weight_only_program.h) and the packer
// (weight_only_pack.h) both follow from the layouts here.
#pragma once

#include <cstdint>
#include <vector>

#include "anybit/base/result.h"
#include "anybit/layout/register_layout.h"
#include "anybit/numeric/element_format.h"

namespace anybit::kernel {

/// What a weight-only product computes: c = a . dequantize(w) with
/// w[n, k] = tensor_scale * scale * (decode(code) - zero_point), plus a bias.
struct WeightOnlyFormat {
  numeric::ElementFormat element = numeric::int_format(4);
  int64_t group_size = 128;                           // Along k; 0: one scale a row.
  numeric::ElementFormat scale = numeric::kF16;       // Of groups. Scales of rows are f32.
  bool has_zero_point = false;                        // Of groups: a code of a uint element.
  numeric::ElementFormat activation = numeric::kF16;  // f16 or bf16.
  numeric::ElementFormat output = numeric::kF16;      // f16, bf16 or f32.
  bool has_bias = false;                              // f32 [n].
  friend bool operator==(const WeightOnlyFormat&, const WeightOnlyFormat&) = default;
};

/// The part of a weight that one warp multiplies at a time: `rows` of n by `depth` of k.
struct WeightTile {
  int64_t rows = 64;   // 16, 32, 64 or 128.
  int64_t depth = 64;  // A power of two, at least 16.
  friend bool operator==(const WeightTile&, const WeightTile&) = default;
};

/// Whether the format can be multiplied in tiles of this size.
/// Errors: kUnsupported naming what does not fit: elements of more than 8 bits, complex or whose
/// range the activation's format has not, groups that the tile's depth does not divide, zero points
/// of anything but uint.
Status check_weight_only(const WeightOnlyFormat& format, const WeightTile& tile);

/// What the program decodes codes as: `element`, or for floats whose values leave the range of the
/// activation's format the same codes with a larger bias, values / 2^shift.
/// Errors: kUnsupported if no shift brings all values into range.
struct DecodedElement {
  numeric::ElementFormat element;
  int shift = 0;
};
Result<DecodedElement> decoded_element(const WeightOnlyFormat& format);

/// The largest tile of `rows` for the format: its depth divides the group and gives each lane at
/// most 128 codes.
WeightTile weight_tile(const WeightOnlyFormat& format, int64_t rows);

/// Bytes of a tile of codes: rows * depth * bits / 8.
int64_t tile_bytes(const WeightOnlyFormat& format, const WeightTile& tile);

/// [tile_bytes] over a warp: which lane loads which byte of a packed tile, in widest accesses.
layout::RegisterLayout tile_byte_layout(const WeightOnlyFormat& format, const WeightTile& tile);

/// [rows, depth] over a warp: which code of which lane's bit string is whose. Places of integers
/// of 1, 2 and 4 bits take turns (vm cast, CodeOrder::kInterleaved), which makes widening cheap.
layout::RegisterLayout tile_code_layout(const WeightOnlyFormat& format, const WeightTile& tile);

/// [rows, depth] over a warp: operand a of dot.
layout::RegisterLayout tile_operand_layout(const WeightTile& tile);

/// [depth]: the k within a tile that stands at place k' of the operand. Lanes read runs of
/// activation_run() neighbours of k, which become operand b without being moved.
std::vector<int64_t> tile_depth_order(const WeightTile& tile);
int64_t activation_run(const WeightTile& tile);

/// [rows]: the row whose scale stands at place i of a packed tile of scales: a lane's are
/// neighbours.
std::vector<int64_t> tile_scale_order(const WeightTile& tile);

}  // namespace anybit::kernel
