#include "anybit/kernel/matmul/weight_only_pack.h"

#include <algorithm>
#include <bit>
#include <functional>

#include "anybit/base/check.h"
#include "anybit/numeric/packing.h"

namespace anybit::kernel {
namespace {

using numeric::ElementFormat;
using numeric::Granularity;
using numeric::Scheme;
using tensor::QuantizedTensor;

constexpr int64_t kLanes = 32;

int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

/// Where the codes and bytes of a tile come from; the same for every tile.
struct TileOrder {
  int64_t held = 0;             // Codes of a lane.
  std::vector<int32_t> row;     // [lanes, held]: of the code at that place
  std::vector<int32_t> column;  // likewise; of k, not of the operand's order
  std::vector<int32_t> byte;    // [lanes, bytes of a lane]: in the packed tile
};

TileOrder tile_order(const WeightOnlyFormat& format, const WeightTile& tile) {
  const layout::RegisterLayout codes = tile_code_layout(format, tile);
  const layout::RegisterLayout bytes = tile_byte_layout(format, tile);
  const std::vector<int64_t> depth_order = tile_depth_order(tile);
  TileOrder order;
  order.held = codes.local_size();
  for (int64_t lane = 0; lane < kLanes; ++lane) {
    for (int64_t e = 0; e < codes.local_size(); ++e) {
      const layout::Dims x = codes.coordinates(lane, e);
      order.row.push_back(static_cast<int32_t>(x[0]));
      order.column.push_back(static_cast<int32_t>(depth_order[x[1]]));
    }
    for (int64_t e = 0; e < bytes.local_size(); ++e) {
      order.byte.push_back(static_cast<int32_t>(bytes.linear_index(lane, e)));
    }
  }
  return order;
}

/// What a tile is in the canonical tensor.
struct TileOrigin {
  int64_t row, column, num_rows, num_columns;
};

TileOrigin origin_of(const PackedWeight& packed, int64_t row_tile, int64_t k_tile) {
  const int64_t row = row_tile * packed.tile.rows, column = k_tile * packed.tile.depth;
  return {row, column, std::min(packed.tile.rows, packed.n - row),
          std::min(packed.tile.depth, packed.k - column)};
}

/// codes: [rows, depth] of the tile, 0 outside the tensor.
void write_tile(const TileOrder& order, const WeightTile& tile, int bits,
                std::span<const uint32_t> codes, std::span<std::byte> out) {
  const int64_t lane_bytes = order.held * bits / 8;
  std::vector<uint32_t> held(static_cast<size_t>(order.held));
  std::vector<std::byte> string(static_cast<size_t>(lane_bytes));
  for (int64_t lane = 0; lane < kLanes; ++lane) {
    for (int64_t e = 0; e < order.held; ++e) {
      const auto i = static_cast<size_t>(lane * order.held + e);
      held[static_cast<size_t>(e)] =
          codes[static_cast<size_t>(order.row[i] * tile.depth + order.column[i])];
    }
    numeric::pack_codes(held, bits, string);
    for (int64_t j = 0; j < lane_bytes; ++j) {
      out[static_cast<size_t>(order.byte[static_cast<size_t>(lane * lane_bytes + j)])] =
          string[static_cast<size_t>(j)];
    }
  }
}

/// The inverse of write_tile().
void read_tile(const TileOrder& order, const WeightTile& tile, int bits,
               std::span<const std::byte> in, std::span<uint32_t> codes) {
  const int64_t lane_bytes = order.held * bits / 8;
  std::vector<uint32_t> held(static_cast<size_t>(order.held));
  std::vector<std::byte> string(static_cast<size_t>(lane_bytes));
  for (int64_t lane = 0; lane < kLanes; ++lane) {
    for (int64_t j = 0; j < lane_bytes; ++j) {
      string[static_cast<size_t>(j)] =
          in[static_cast<size_t>(order.byte[static_cast<size_t>(lane * lane_bytes + j)])];
    }
    numeric::unpack_codes(string, bits, held);
    for (int64_t e = 0; e < order.held; ++e) {
      const auto i = static_cast<size_t>(lane * order.held + e);
      codes[static_cast<size_t>(order.row[i] * tile.depth + order.column[i])] =
          held[static_cast<size_t>(e)];
    }
  }
}

/// Calls visit(packed bytes of a tile, its origin) for every tile, row tiles in parallel.
void for_each_tile(const PackedWeight& packed, Threads threads,
                   const std::function<void(int64_t first_byte, const TileOrigin&)>& visit) {
  const int64_t k_tiles = ceil_div(packed.k, packed.tile.depth);
  const int64_t bytes = tile_bytes(packed.format, packed.tile);
  parallel_for(threads, ceil_div(packed.n, packed.tile.rows), 1, [&](int64_t begin, int64_t end) {
    for (int64_t row_tile = begin; row_tile < end; ++row_tile) {
      for (int64_t k_tile = 0; k_tile < k_tiles; ++k_tile) {
        visit((row_tile * k_tiles + k_tile) * bytes, origin_of(packed, row_tile, k_tile));
      }
    }
  });
}

void pack_codes_of(const QuantizedTensor& weight, PackedWeight& packed, Threads threads) {
  const TileOrder order = tile_order(packed.format, packed.tile);
  const int bits = packed.format.element.bits;
  const int64_t bytes = tile_bytes(packed.format, packed.tile), depth = packed.tile.depth;
  packed.codes =
      Buffer::allocate(ceil_div(packed.n, packed.tile.rows) * ceil_div(packed.k, depth) * bytes);
  const std::span<std::byte> out = packed.codes.writable();
  for_each_tile(packed, threads, [&](int64_t first_byte, const TileOrigin& at) {
    std::vector<uint32_t> codes(static_cast<size_t>(packed.tile.rows * depth));
    for (int64_t r = 0; r < at.num_rows; ++r) {
      numeric::unpack_codes(weight.codes.bytes(), bits,
                            std::span(codes).subspan(static_cast<size_t>(r * depth),
                                                     static_cast<size_t>(at.num_columns)),
                            (at.row + r) * packed.k + at.column);
    }
    write_tile(order, packed.tile, bits, codes,
               out.subspan(static_cast<size_t>(first_byte), static_cast<size_t>(bytes)));
  });
}

/// Calls visit(row, group, place in the packed order) for every scale of a group.
void for_each_group(const PackedWeight& packed,
                    const std::function<void(int64_t row, int64_t group, int64_t place)>& visit) {
  const std::vector<int64_t> order = tile_scale_order(packed.tile);
  const int64_t groups = ceil_div(packed.k, packed.format.group_size), rows = packed.tile.rows;
  for (int64_t row_tile = 0; row_tile < ceil_div(packed.n, rows); ++row_tile) {
    for (int64_t group = 0; group < groups; ++group) {
      for (int64_t i = 0; i < rows; ++i) {
        const int64_t row = row_tile * rows + order[static_cast<size_t>(i)];
        if (row < packed.n) visit(row, group, (row_tile * groups + group) * rows + i);
      }
    }
  }
}

int64_t num_group_places(const PackedWeight& packed) {
  return ceil_div(packed.n, packed.tile.rows) * ceil_div(packed.k, packed.format.group_size) *
         packed.tile.rows;
}

void pack_groups_of(const QuantizedTensor& weight, PackedWeight& packed) {
  const ElementFormat& scale = packed.format.scale;
  const bool as_stored = weight.scheme.scale == scale;
  const std::vector<float> values =
      as_stored ? std::vector<float>() : tensor::decode_scales(weight);
  packed.scales = Buffer::allocate(num_group_places(packed) * scale.bits / 8);
  if (packed.format.has_zero_point) packed.zero_points = Buffer::allocate(num_group_places(packed));
  const std::span<std::byte> scales = packed.scales.writable();
  for_each_group(packed, [&](int64_t row, int64_t group, int64_t place) {
    const int64_t index = numeric::scale_index(weight.scheme, packed.n, packed.k, row,
                                               group * packed.format.group_size);
    const uint32_t code = as_stored ? numeric::unpack_code(weight.scales.bytes(), scale.bits, index)
                                    : std::bit_cast<uint32_t>(values[static_cast<size_t>(index)]);
    numeric::pack_codes({{code}}, scale.bits, scales, place);
    if (!packed.format.has_zero_point) return;
    packed.zero_points.writable()[static_cast<size_t>(place)] = static_cast<std::byte>(
        numeric::unpack_code(weight.zero_points.bytes(), weight.scheme.element.bits, index));
  });
}

void pack_row_scales_of(const QuantizedTensor& weight, PackedWeight& packed) {
  packed.scales = Buffer::allocate(packed.n * 4);
  const std::span<float> scales = packed.scales.writable_as<float>();
  if (weight.scheme.granularity == Granularity::kNone) {
    std::fill(scales.begin(), scales.end(), 1.0F);
    return;
  }
  const std::vector<float> values = tensor::decode_scales(weight);
  for (int64_t row = 0; row < packed.n; ++row) {
    scales[static_cast<size_t>(row)] = values[static_cast<size_t>(
        numeric::scale_index(weight.scheme, packed.n, packed.k, row, 0))];
  }
}

}  // namespace

int64_t PackedWeight::size_bytes() const {
  const auto entries = static_cast<int64_t>(codebook.size());
  return codes.size() + scales.size() + zero_points.size() + 2 * entries;
}

Result<WeightOnlyFormat> weight_only_format(const Scheme& scheme, int64_t k,
                                            const ElementFormat& activation,
                                            const ElementFormat& output, bool has_bias) {
  if (scheme.ggml != numeric::GgmlType::kNone) {
    return fail(ErrorCode::kUnsupported, "{}: ggml blocks have no GPU kernel yet",
                numeric::scheme_name(scheme));
  }
  WeightOnlyFormat format;
  format.element = scheme.element;
  format.activation = activation;
  format.output = output;
  format.has_bias = has_bias;
  format.has_zero_point = scheme.has_zero_point;
  format.group_size = 0;
  if (scheme.granularity == Granularity::kGroup) format.group_size = scheme.group_size;
  if (scheme.granularity == Granularity::kBlock2d) format.group_size = scheme.block_cols;
  if (scheme.has_zero_point && format.group_size == 0) {
    constexpr int64_t kDeepestStep = 4096;
    format.group_size = std::max<int64_t>(
        kDeepestStep, static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>(k))));
  }
  const bool has_width =
      scheme.scale.bits == 8 || scheme.scale.bits == 16 || scheme.scale.bits == 32;
  format.scale = has_width && format.group_size > 0 ? scheme.scale : numeric::kF32;
  ANYBIT_TRY(check_weight_only(format, weight_tile(format, 64)));
  return format;
}

Result<PackedWeight> pack_weight_only(const QuantizedTensor& weight, const WeightOnlyFormat& format,
                                      const WeightTile& tile, Threads threads) {
  ANYBIT_TRY(check_weight_only(format, tile));
  ANYBIT_ASSIGN(const WeightOnlyFormat expected,
                weight_only_format(weight.scheme, weight.cols, format.activation, format.output,
                                   format.has_bias));
  if (!(expected == format)) {
    return fail(ErrorCode::kUnsupported, "a weight in {} packed for another format",
                numeric::scheme_name(weight.scheme));
  }
  PackedWeight packed;
  packed.format = format;
  packed.tile = tile;
  packed.n = weight.rows;
  packed.k = weight.cols;
  packed.tensor_scale = weight.tensor_scale;
  packed.codebook = weight.codebook;
  pack_codes_of(weight, packed, threads);
  format.group_size > 0 ? pack_groups_of(weight, packed) : pack_row_scales_of(weight, packed);
  return packed;
}

Buffer unpack_weight_only_codes(const PackedWeight& packed, Threads threads) {
  const TileOrder order = tile_order(packed.format, packed.tile);
  const int bits = packed.format.element.bits;
  const int64_t bytes = tile_bytes(packed.format, packed.tile), depth = packed.tile.depth;
  Buffer canonical = Buffer::allocate(numeric::packed_size_bytes(packed.n * packed.k, bits));
  const std::span<std::byte> out = canonical.writable();
  // Row tiles begin at whole bytes: their rows are a multiple of 8.
  for_each_tile(packed, threads, [&](int64_t first_byte, const TileOrigin& at) {
    std::vector<uint32_t> codes(static_cast<size_t>(packed.tile.rows * depth));
    read_tile(
        order, packed.tile, bits,
        packed.codes.bytes().subspan(static_cast<size_t>(first_byte), static_cast<size_t>(bytes)),
        codes);
    for (int64_t r = 0; r < at.num_rows; ++r) {
      numeric::pack_codes(std::span(codes).subspan(static_cast<size_t>(r * depth),
                                                   static_cast<size_t>(at.num_columns)),
                          bits, out, (at.row + r) * packed.k + at.column);
    }
  });
  return canonical;
}

Buffer unpack_weight_only_scales(const PackedWeight& packed, const Scheme& scheme) {
  const int64_t count = numeric::scale_shape(scheme, packed.n, packed.k).count();
  Buffer canonical = Buffer::allocate(numeric::packed_size_bytes(count, scheme.scale.bits));
  const std::span<std::byte> out = canonical.writable();
  if (packed.format.group_size == 0) {
    for (int64_t row = 0; row < packed.n; ++row) {
      const float value = packed.scales.as<float>()[static_cast<size_t>(row)];
      numeric::pack_codes({{numeric::encode(scheme.scale, value)}}, scheme.scale.bits, out,
                          numeric::scale_index(scheme, packed.n, packed.k, row, 0));
    }
    return canonical;
  }
  for_each_group(packed, [&](int64_t row, int64_t group, int64_t place) {
    const uint32_t code =
        numeric::unpack_code(packed.scales.bytes(), packed.format.scale.bits, place);
    numeric::pack_codes(
        {{code}}, scheme.scale.bits, out,
        numeric::scale_index(scheme, packed.n, packed.k, row, group * packed.format.group_size));
  });
  return canonical;
}

Buffer unpack_weight_only_zero_points(const PackedWeight& packed, const Scheme& scheme) {
  const int64_t count = numeric::scale_shape(scheme, packed.n, packed.k).count();
  Buffer canonical = Buffer::allocate(numeric::packed_size_bytes(count, scheme.element.bits));
  for_each_group(packed, [&](int64_t row, int64_t group, int64_t place) {
    const auto code = static_cast<uint32_t>(packed.zero_points.bytes()[static_cast<size_t>(place)]);
    numeric::pack_codes(
        {{code}}, scheme.element.bits, canonical.writable(),
        numeric::scale_index(scheme, packed.n, packed.k, row, group * packed.format.group_size));
  });
  return canonical;
}

std::vector<double> packed_row_values(const PackedWeight& packed, int64_t row) {
  ANYBIT_CHECK(row >= 0 && row < packed.n);
  const WeightOnlyFormat& f = packed.format;
  const TileOrder order = tile_order(f, packed.tile);
  const int64_t k_tiles = ceil_div(packed.k, packed.tile.depth), rows = packed.tile.rows;
  const int64_t bytes = tile_bytes(f, packed.tile),
                groups = f.group_size > 0 ? ceil_div(packed.k, f.group_size) : 1;
  const std::vector<int64_t> scale_order = tile_scale_order(packed.tile);
  const auto place =
      std::find(scale_order.begin(), scale_order.end(), row % rows) - scale_order.begin();
  const bool has_table = !packed.codebook.empty();
  std::vector<uint32_t> codes(static_cast<size_t>(rows * packed.tile.depth));
  std::vector<double> values(static_cast<size_t>(packed.k));
  for (int64_t k_tile = 0; k_tile < k_tiles; ++k_tile) {
    const TileOrigin at = origin_of(packed, row / rows, k_tile);
    read_tile(
        order, packed.tile, f.element.bits,
        packed.codes.bytes().subspan(static_cast<size_t>((row / rows * k_tiles + k_tile) * bytes),
                                     static_cast<size_t>(bytes)),
        codes);
    for (int64_t j = 0; j < at.num_columns; ++j) {
      const uint32_t code = codes[static_cast<size_t>(row % rows * packed.tile.depth + j)];
      double value = has_table ? packed.codebook[code] : numeric::decode(f.element, code);
      double scale = 0;
      if (f.group_size == 0) {
        scale = packed.scales.as<float>()[static_cast<size_t>(row)];
      } else {
        const int64_t index = (row / rows * groups + (at.column + j) / f.group_size) * rows + place;
        const uint32_t scale_code =
            numeric::unpack_code(packed.scales.bytes(), f.scale.bits, index);
        scale = numeric::decode(f.scale, scale_code);
        if (f.has_zero_point) {
          value -= static_cast<double>(packed.zero_points.bytes()[static_cast<size_t>(index)]);
        }
      }
      values[static_cast<size_t>(at.column + j)] = value * scale * packed.tensor_scale;
    }
  }
  return values;
}

}  // namespace anybit::kernel
