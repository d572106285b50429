// Encoding and decoding of GGUF's block types.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "anybit/base/result.h"
#include "anybit/numeric/ggml/block_type.h"

namespace anybit::numeric {

/// Decodes whole blocks, bit for bit as the PyPI package `gguf` does (f32 arithmetic in ggml's
/// order). Works for every row of ggml_types().
/// Pre: blocks.size() == values.size() / block_elements * block_bytes exactly.
/// Errors: kUnsupported for an id outside the table.
Status dequantize_ggml(GgmlType type, std::span<const std::byte> blocks, std::span<float> values);

/// Encodes rows of `row_size` values each. `importance`: mean square of the input that meets each
/// column ([row_size], an "imatrix"), or empty.
/// Pre: sizes agree; row_size is a multiple of block_elements.
/// Errors: kUnsupported where can_quantize is false; kInvalidArgument if a value is not finite.
Status quantize_ggml(GgmlType type, std::span<const float> values, int64_t row_size,
                     std::span<const float> importance, std::span<std::byte> blocks);

}  // namespace anybit::numeric
