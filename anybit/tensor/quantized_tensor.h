// QuantizedTensor: a matrix stored under a scheme, in the canonical packing that files use.
// Kernels repack it (kernel/matmul); quantizers make it (quant/).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "anybit/base/buffer.h"
#include "anybit/base/result.h"
#include "anybit/numeric/scheme.h"

namespace anybit::tensor {

/// A [rows, cols] matrix; for a weight, [out_features, in_features].
///
/// The same struct holds unquantized matrices: scheme "f32", "f16" or "bf16" with granularity
/// kNone, whose codes are the plain little-endian elements.
struct QuantizedTensor {
  numeric::Scheme scheme;
  int64_t rows = 0;
  int64_t cols = 0;
  Buffer codes;        // Bit stream of num_codes() codes, row-major; or ggml blocks, row-major.
  Buffer scales;       // Bit stream of scale codes, row-major over scale_shape(); may be empty.
  Buffer zero_points;  // Bit stream of element codes, one a scale; empty if symmetric.
  float tensor_scale = 1.0f;
  std::vector<float> codebook;  // [2^bits] ascending, for kCodebook; else empty.

  /// Bytes of all parts.
  int64_t size_bytes() const;
};

/// What the parts of a [rows, cols] matrix take under a scheme.
struct PartSizes {
  int64_t codes_bytes = 0;
  int64_t scales_bytes = 0;
  int64_t zero_points_bytes = 0;
  int64_t codebook_values = 0;
};

/// Safe on extents and schemes from files.
/// Errors: kCorruptData naming `name` if the extents are negative, overflow or do not fit the
/// scheme.
Result<PartSizes> part_sizes(const numeric::Scheme& scheme, int64_t rows, int64_t cols,
                             std::string_view name);

/// Whether sizes of all parts agree with scheme, rows and cols.
/// Errors: kCorruptData naming `name`, the part, the expected and the found size.
Status validate(const QuantizedTensor& tensor, std::string_view name);

/// Rows [first_row, first_row + num_rows) as floats, by the reference codecs: each operation of
/// value = tensor_scale * scale * (code value - zero_point) is computed in double and the result
/// rounded once to float. (ggml types: as dequantize_ggml().)
/// Pre: validate() holds; out.size() == num_rows * cols.
Status dequantize_rows(const QuantizedTensor& tensor, int64_t first_row, int64_t num_rows,
                       std::span<float> out);

/// All rows. Post: [rows * cols], row-major.
Result<std::vector<float>> dequantize(const QuantizedTensor& tensor);

/// A slab is a run of whole rows that stands by itself as a matrix. It begins at a multiple of this
/// many rows, so that no byte of codes and no scale belongs to two slabs.
int64_t slab_row_multiple(const numeric::Scheme& scheme);

/// Rows [first_row, first_row + num_rows) as a matrix that shares the bytes.
/// Pre: validate() holds; first_row is a multiple of slab_row_multiple(), num_rows too or all that
/// are left.
QuantizedTensor row_slab(const QuantizedTensor& tensor, int64_t first_row, int64_t num_rows);

/// The scales as floats (scale codes decoded, tensor_scale not applied), row-major.
std::vector<float> decode_scales(const QuantizedTensor& tensor);

/// A matrix of plain f32 elements, copied from `values`.
QuantizedTensor dense_f32(std::span<const float> values, int64_t rows, int64_t cols);

}  // namespace anybit::tensor
