// Encoding and decoding of GGUF's block types.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "anybit/base/result.h"
#include "anybit/numeric/ggml/block_type.h"

namespace anybit::numeric {

/// Decodes whole blocks, bit for bit as the PyPI package `gguf` does (f32 arithmetic in ggml's
/// order); a NaN may have another sign or payload. Works for every row of ggml_types(); i64 and f64
/// are rounded to nearest even.
/// Errors: kUnsupported for an id outside the table; kInvalidArgument unless blocks.size() is
/// exactly values.size() / block_elements * block_bytes.
Status dequantize_ggml(GgmlType type, std::span<const std::byte> blocks, std::span<float> values);

/// Encodes rows of `row_size` values each. `importance`: mean square of the input that meets each
/// column ([row_size], an "imatrix"), or empty.
///
/// Q4_0 ... Q8_0, TQ1_0, TQ2_0, MXFP4, NVFP4, Q1_0 and Q2_0 without importance follow the plain
/// rules of ggml's reference encoders to the bit (NVFP4: but for scales that ggml rounds wrongly);
/// with importance they search the scale. Q8_0 ignores importance. The k-quants, IQ4_NL and IQ4_XS
/// always search, over ggml's candidates and with its weights (Q3_K without importance: with those
/// of importance 1). Scales beyond f16 saturate. The blocks are the same on every machine.
/// Errors: kUnsupported where can_quantize is false; kInvalidArgument if sizes disagree, row_size
/// is not whole blocks, a value is not finite, or an importance is negative or not finite.
/// Source: ggml-quants.c of ggml.
Status quantize_ggml(GgmlType type, std::span<const float> values, int64_t row_size,
                     std::span<const float> importance, std::span<std::byte> blocks);

}  // namespace anybit::numeric
