// Panels: the packed form that all integer and float kernels read. A panel is 16 rows of a weight;
// along k it is cut into blocks of 32 columns, a block into steps of 4 columns.
//
// Stored codes of `bits` bits are split into planes of 8, 4, 2 and 1 bits (13 = 8 + 4 + 1), the
// first plane holding the least significant bits. A plane of p bits is 64-byte lines: byte j of a
// line carries, from its low bits up, the p-bit fields of place j in 8 / p consecutive steps. So a
// block takes 64 * bits bytes, and a step unpacks with a shift and a mask a plane. Which (row,
// column) of the step stands in place j suits the arithmetic; see place_in_step().
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace anybit::kernel::internal {

inline constexpr int64_t kPanelRows = 16;
inline constexpr int64_t kBlockCols = 32;
inline constexpr int64_t kStepCols = 4;
inline constexpr int64_t kBlockSteps = kBlockCols / kStepCols;
inline constexpr int64_t kLineBytes = 64;  // One byte for each place of a step.
/// Most rows of `a` that one call of a multiply function takes.
inline constexpr int kMaxColumns = 6;

/// How products are summed.
enum class Arithmetic : uint8_t {
  kInt8,   // Weights u8 (value + center), activations s8 in +-127 a block; sums exact.
  kInt16,  // Weights s16, activations s16 in +-2047 a block; sums exact in int32.
  kFloat,  // Weights and activations f32, fused multiply-add in order of k.
};

/// What a stored code stands for.
enum class CodeDecoding : uint8_t {
  kLinear,       // code (doubled if is_doubled); kInt16 and kFloat: minus center.
  kTable,        // table_low (and table_high) at the code; kFloat: values at the code.
  kSignedTable,  // kInt16: the top bit negates the table at the other bits.
  kSplitFloat,   // kInt16: sign, exponent, mantissa; rounded fixed point, see decode_int16().
  kHalf,         // kFloat: fields moved to where binary16 has them, times bits_factor.
  kBrain,        // kFloat: bf16.
  kPlain,        // kFloat: f32; the packed bytes are the tile, [column][16 rows].
};

/// How far kInt8 sums run in 16 bits before they widen. Chosen so that nothing can overflow.
enum class Widening : uint8_t { kSubblock, kTwoSteps, kOneStep };

/// Everything about the codes of one packed matrix that is not the codes.
struct PanelFormat {
  Arithmetic arithmetic = Arithmetic::kFloat;
  CodeDecoding decoding = CodeDecoding::kPlain;
  Widening widening = Widening::kOneStep;
  int bits = 32;            // Of a stored code: 1..16 or, for kPlain, 32.
  bool is_doubled = false;  // kInt8, kLinear: a code stands for 2 * code - center.
  int center = 0;           // Subtracted from what the code stands for.
  int subblock_cols = 32;   // Columns that surely share a scale: 16 or 32.
  int exponent_bits = 0;    // kSplitFloat, kHalf.
  int mantissa_bits = 0;    // kSplitFloat, kHalf.
  int exponent_base = 1;    // kSplitFloat: the exponent field whose power stands first in tables.
  float bits_factor = 1;    // kHalf: 2^(15 - bias).
  /// kTable, kSignedTable: low and high byte by code (kInt8: low only, value + center).
  /// kSplitFloat: low and high byte of the power by max(exponent - exponent_base, 0), [16].
  alignas(64) uint8_t table_low[256] = {};
  alignas(64) uint8_t table_high[256] = {};
  std::vector<float> values;  // kFloat, kTable: [2^bits].

  int64_t block_bytes() const { return kLineBytes * bits; }
  int64_t subblocks_per_block() const { return kBlockCols / subblock_cols; }
  /// Bytes of one decoded weight in a tile.
  int64_t tile_element_bytes() const {
    return arithmetic == Arithmetic::kInt8 ? 1 : arithmetic == Arithmetic::kInt16 ? 2 : 4;
  }
  int64_t tile_block_bytes() const { return kPanelRows * kBlockCols * tile_element_bytes(); }
};

/// The byte of a line where (row, col) of a step stands. Decoded tiles follow from it:
/// kInt8 [step][row][4 cols], kInt16 [step][2 pairs of cols][row][2 cols], kFloat [col][row].
constexpr int place_in_step(Arithmetic arithmetic, int row, int col) {
  switch (arithmetic) {
    case Arithmetic::kInt8: return row * 4 + col;
    case Arithmetic::kInt16: return row / 4 * 16 + col / 2 * 8 + row % 4 * 2 + col % 2;
    case Arithmetic::kFloat: break;
  }
  return col * 16 + row;
}

/// kInt8: what a stored code is in a tile (value + center), in [0, 255].
int decode_uint8(const PanelFormat& format, uint32_t code);
/// kInt16: what a stored code is in a tile, in [-32768, 32767].
int decode_int16(const PanelFormat& format, uint32_t code);
/// kFloat: what a stored code is in a tile. Not for kPlain.
float decode_float(const PanelFormat& format, uint32_t code);

/// Writes a block's codes as planes. codes: [8 steps][64 places]; out: block_bytes() bytes.
void store_planes(const uint16_t* codes, int bits, std::byte* out);

/// The inverse.
void load_planes(const std::byte* block, int bits, uint16_t* codes);

}  // namespace anybit::kernel::internal
