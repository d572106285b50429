// Schemes: how a whole tensor is stored. An element format, who shares a scale, the scale's own
// format, a zero point or none, a second-level scale or none.
//
//   value = tensor_scale * scale * (decode(code) - zero_point)
//
// with zero_point an integer code in the element's own range (0 for symmetric schemes).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "anybit/base/result.h"
#include "anybit/numeric/element_format.h"
#include "anybit/numeric/ggml/block_type.h"

namespace anybit::numeric {

/// Which elements of a [rows, cols] tensor share one scale.
enum class Granularity : uint8_t {
  kNone,     // No scale: the element format alone ("bf16", "posit16_1").
  kTensor,   // All.
  kChannel,  // One row (an output channel of a weight).
  kToken,    // One row too; the word for activations.
  kGroup,    // group_size consecutive elements of a row; the last group of a row may be shorter.
  kBlock2d,  // block_rows x block_cols; blocks at the edges may be smaller.
};

/// A codebook that the format fixes rather than the tensor.
enum class StandardCodebook : uint8_t {
  kFitted,  // The tensor carries its own.
  kNf4,     // QLoRA's NormalFloat4.
};

struct Scheme {
  ElementFormat element;
  Granularity granularity = Granularity::kNone;
  int64_t group_size = 0;         // kGroup only.
  int64_t block_rows = 0;         // kBlock2d only.
  int64_t block_cols = 0;         // kBlock2d only.
  ElementFormat scale = kF32;     // Ignored for kNone.
  bool has_zero_point = false;    // One code of the element's format per scale; kUint only.
  bool has_tensor_scale = false;  // A second-level f32 scale for the whole tensor.
  StandardCodebook codebook = StandardCodebook::kFitted;
  GgmlType ggml = GgmlType::kNone;  // Not kNone: a GGUF block type, and all else is default.
  friend bool operator==(const Scheme&, const Scheme&) = default;
};

/// Extents of the grid of scales of a tensor.
struct ScaleShape {
  int64_t rows;
  int64_t cols;
  int64_t count() const { return rows * cols; }
};

/// Parses a scheme string: <element>[_<granularity>][_s<scale format>][_asym][_ts], where the
/// granularity is tensor, channel, token, g<size> or b<rows>x<cols>, the scale format defaults to
/// f32 for tensor, channel and token and to f16 otherwise, and _ts adds the second-level scale.
/// Also the standards mxfp4, mxfp6_e3m2, mxfp6_e2m3, mxfp8_e4m3, mxfp8_e5m2, mxint8, nvfp4,
/// nvint4, nf4, and GGUF's q4_0 ... q6_k, iq4_nl, tq2_0 and all other ggml block types.
/// Examples: "int4_g128", "uint4_g64_asym", "e3m2_channel", "e2m1_g32_se8m0", "int8_b128x128".
/// Post: scheme_name() of the result parses to the result.
/// Errors: kInvalidArgument naming the part that does not parse and what may stand there.
Result<Scheme> parse_scheme(std::string_view text);

/// The canonical string: a standard's name where one fits, else the parts.
std::string scheme_name(const Scheme& scheme);

/// Extents of the scale grid for a [rows, cols] tensor ({0, 0} for kNone and ggml types).
ScaleShape scale_shape(const Scheme& scheme, int64_t rows, int64_t cols);

/// Index into the row-major scale grid of the scale of element (row, col).
int64_t scale_index(const Scheme& scheme, int64_t rows, int64_t cols, int64_t row, int64_t col);

/// Codes a [rows, cols] tensor has: rows * cols / values_per_code (complex2: pairs along a row).
int64_t num_codes(const Scheme& scheme, int64_t rows, int64_t cols);

/// Bits an element costs, every overhead counted: codes, scales, zero points, the second-level
/// scale and a fitted codebook.
double bits_per_weight(const Scheme& scheme, int64_t rows, int64_t cols);

/// Whether a [rows, cols] tensor can be stored so.
/// Errors: kInvalidArgument ("q4_k needs a multiple of 256 columns, found 576").
Status check_fits(const Scheme& scheme, int64_t rows, int64_t cols);

/// The sixteen values of NF4, ascending. Source: Dettmers et al. 2023, QLoRA, appendix E.
std::span<const float, 16> nf4_codebook();

/// One named standard: its name, the parts it stands for, and its source.
struct SchemeStandard {
  std::string_view name;    // "mxfp4"
  std::string_view parts;   // "e2m1_g32_se8m0"
  std::string_view source;  // "OCP Microscaling Formats 1.0"
};
std::span<const SchemeStandard> scheme_standards();

}  // namespace anybit::numeric
