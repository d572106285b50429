// The inner loops over panels that each instruction set has its own text of. A matrix picks one
// table when it is packed; the driver (panel_matrix.cc) is common.
#pragma once

#include <cstddef>
#include <cstdint>

#include "anybit/kernel/matmul/internal/panel_format.h"

namespace anybit::kernel::internal {

/// Decodes `num_blocks` blocks of codes into a tile.
using UnpackFunction = void(const PanelFormat& format, const std::byte* codes, int64_t num_blocks,
                            std::byte* tile);

/// One tile of weights and the same columns of a panel of activations (activations of up to
/// kMaxColumns rows of `a`, there called columns because they are columns of c's transpose).
struct MultiplyArguments {
  const std::byte* tile;           // [blocks] of tile_block_bytes().
  const float* weight_scales;      // [subblocks][16 rows]
  const std::byte* activations;    // [blocks][columns][32], int8, int16 or f32.
  const int32_t* biases;           // kInt8: [subblocks][columns]; see Activations.
  const float* activation_scales;  // kInt8, kInt16: [blocks][columns]
  int64_t num_blocks;
  float* sums;  // [columns][16 rows], added to.
};

/// sums[c][r] = fma(float(dot), weight_scale * activation_scale, sums[c][r]) a subblock, in order.
/// kFloat: fma(dot, weight_scale, sum), where dot is a chain of fma from 0.
using MultiplyFunction = void(const PanelFormat& format, const MultiplyArguments& arguments);

/// How one level of scales is stored.
enum class ScaleStorage : uint8_t {
  kF32,
  kF16,
  kBF16,
  kE8M0,
  kByteFloat,
  kInt8,
  kUint8,
  kUint16,
  kLowNibble,
  kHighNibble
};

constexpr int64_t scale_bytes(ScaleStorage storage) {
  switch (storage) {
    case ScaleStorage::kF32: return 4;
    case ScaleStorage::kF16:
    case ScaleStorage::kBF16:
    case ScaleStorage::kUint16: return 2;
    default: return 1;
  }
}

/// One level of scales as f32, each group's for as many subblocks as share it:
/// out[i][r] = factor * x[g][r] for i in [0, count), x the numbers at `scales`,
/// g = (first + i) / ratio - first / ratio.
/// kByteFloat: the byte's low 7 bits shifted by `mantissa_shift` are a binary16's exponent and
/// mantissa; its top bit is the sign if has_sign, else the exponent's top bit.
/// Shapes: scales [groups][16] in `storage`, out [count][16].
struct ExpandScalesArguments {
  ScaleStorage storage;
  int mantissa_shift;
  bool has_sign;
  float factor;
  const std::byte* scales;
  int64_t first, ratio, count;
};
using ExpandScalesFunction = void(const ExpandScalesArguments& arguments, float* out);

/// Where one row of `a` goes: pointers to its first block, strides from block to block.
struct QuantizedRow {
  std::byte* codes;       // 32 int8 or int16 a block.
  int64_t code_stride;    // Bytes.
  float* scales;          // One a block.
  int64_t scale_stride;   // Floats.
  int32_t* partial_sums;  // [blocks][2 subblocks of 16][columns k with k % 4 < 2; the others]
};

/// Quantizes `num_cols` values (the last block padded with zeros): scale = amax / limit a block,
/// code = value * (limit / amax) rounded to nearest even, limit 127 or 2047. Blocks whose amax is
/// below 2^-100 become zeros with scale 0; a block that is not finite gets scale NaN, codes 0.
using QuantizeRowFunction = void(const float* a, int64_t num_cols, const QuantizedRow& out);

/// The second of two levels of scales: out[i][r] = (x[i][r] - offset) * outer[g][r] for i in
/// [0, count), x the numbers at `scales`, g = (first + i) / ratio - first / ratio.
/// Shapes: scales [count][16] in `storage` (not kByteFloat), outer [groups][16].
struct ExpandProductsArguments {
  ScaleStorage storage;
  const std::byte* scales;
  float offset;
  const float* outer;
  int64_t first, ratio, count;
};
using ExpandProductsFunction = void(const ExpandProductsArguments& arguments, float* out);

/// sums[c][r] = fma(mins[g][r], group_sums[g][c], sums[c][r]) for the groups in order.
using AddMinsFunction = void(const float* mins, const float* group_sums, int64_t num_groups,
                             int columns, float* sums);

/// What an instruction set is good at, as far as the choice of a format depends on it.
struct IsaTraits {
  /// kInt8: the most a weight may be: 255 where products do not saturate, else 127.
  int weight_limit;
  bool sums_in_16_bits;  // kInt8: products are summed in 16 bits first; else in 32 (kOneStep).
  bool has_byte_tables;  // Tables of 64 and more bytes in registers: quicker than fields of floats.
};

/// One instruction set.
struct PanelOps {
  UnpackFunction* (*find_unpack)(const PanelFormat& format);  // Null where it has none.
  MultiplyFunction* (*find_multiply)(const PanelFormat& format, int columns);
  /// A product with one column straight from the codes (arguments.tile points at them), equal bit
  /// for bit to unpacking and multiplying; null where it would not pay.
  MultiplyFunction* (*find_multiply_codes)(const PanelFormat& format);
  ExpandScalesFunction* expand_scales;
  ExpandProductsFunction* expand_products;
  AddMinsFunction* add_mins;
  QuantizeRowFunction* quantize_int8;
  QuantizeRowFunction* quantize_int16;
  IsaTraits traits;
};

/// Parts of the tables that are compiled by themselves, or that several tables share.
MultiplyFunction* find_multiply_codes_avx2(const PanelFormat& format);
MultiplyFunction* find_multiply_codes_avx512(const PanelFormat& format);
MultiplyFunction* find_multiply_codes_avx512vnni(const PanelFormat& format);
ExpandScalesFunction expand_scales_avx2, expand_scales_avx512, expand_scales_scalar;
ExpandProductsFunction expand_products_avx2, expand_products_avx512, expand_products_scalar;
AddMinsFunction add_mins_avx2, add_mins_avx512, add_mins_scalar;
QuantizeRowFunction quantize_int8_avx2, quantize_int16_avx2;
QuantizeRowFunction quantize_int8_scalar, quantize_int16_scalar;

extern const PanelOps kScalarPanelOps;
extern const PanelOps kAvx2PanelOps;
extern const PanelOps kAvx512PanelOps;
extern const PanelOps kAvx512VnniPanelOps;
/// Arithmetic kInt8 only.
extern const PanelOps kNeonPanelOps;

}  // namespace anybit::kernel::internal
