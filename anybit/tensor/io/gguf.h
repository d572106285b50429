// Reading GGUF, the file format of ggml. Writing: gguf_writer.h. What the metadata keys mean for a
// model is left to model/.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "anybit/base/buffer.h"
#include "anybit/base/result.h"
#include "anybit/numeric/ggml/block_type.h"
#include "anybit/tensor/io/gguf_metadata.h"
#include "anybit/tensor/quantized_tensor.h"

namespace anybit::tensor {

struct GgufTensor {
  std::string name;
  std::vector<int64_t> shape;  // Slowest first: [out_features, in_features]. (The file: reversed.)
  numeric::GgmlType type = numeric::GgmlType::kF32;
  Buffer blocks;  // The fastest extent is a multiple of the type's block.
};

/// A parsed file. Tensors are views into the map.
struct GgufFile {
  int version = 3;
  int64_t alignment = 32;
  GgufMetadata metadata;
  std::vector<GgufTensor> tensors;  // In the order of the file.
  std::unordered_map<std::string, size_t> index_of_tensor;

  /// The tensor of that name, or null.
  const GgufTensor* find(std::string_view name) const;
};

/// Maps and parses a file of version 2 or 3.
/// Errors: kNotFound; kIo; kUnsupported for big-endian files, other versions and unknown type ids
/// (naming the id); kCorruptData naming the field, expected and found: counts, lengths or offsets
/// beyond the file, dimensions that overflow, names or keys given twice, overlapping tensors,
/// arrays nested deeper than 8, an alignment that is not a power of two.
/// Source: ggml's docs/gguf.md.
Result<GgufFile> open_gguf(const std::filesystem::path& path);

/// One file's bytes; `file_name` opens error messages. Errors: as for open_gguf().
Result<GgufFile> parse_gguf(const Buffer& file, std::string_view file_name);

/// Bytes of a tensor of that type and shape (slowest first).
/// Errors: kInvalidArgument if an extent is negative, the size overflows, or the last extent is no
/// multiple of the type's block; kUnsupported for a type outside the table.
Result<int64_t> ggml_size_bytes(numeric::GgmlType type, std::span<const int64_t> shape);

/// The tensor as a matrix [product of leading extents, last extent]: f32, f16 and bf16 become
/// plain schemes, every other type the scheme of its blocks. Shares the bytes.
Result<QuantizedTensor> as_matrix(const GgufTensor& tensor);

}  // namespace anybit::tensor
