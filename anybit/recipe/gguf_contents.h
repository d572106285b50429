// What a GGUF file is written from: its metadata, its tensors, and where their rows come from.
// Quantizing and writing them: write_gguf.h.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "anybit/base/result.h"
#include "anybit/model/open.h"
#include "anybit/recipe/quantization_plan.h"
#include "anybit/tensor/io/gguf_metadata.h"
#include "anybit/tensor/quantized_tensor.h"

namespace anybit::recipe {

/// A tensor of the file.
struct GgufOutput {
  std::string name;
  std::vector<int64_t> shape;        // Slowest first.
  std::vector<size_t> parts;         // Of GgufContents::parts: the rows, one under the other.
  int64_t interleaved_head_dim = 0;  // Not 0: rows are reordered within heads of that size.
};

struct GgufContents {
  tensor::GgufMetadata metadata;  // All but general.file_type and quantization_version.
  /// The source's tensors by the source's names; experts that it stacks are one matrix.
  std::vector<TensorSummary> parts;
  std::vector<GgufOutput> outputs;  // In the order of the file.
  /// Part `index` as [rows, cols] (a vector: one row), as it is stored. Vectors and routers of a
  /// folder are f32.
  std::function<Result<tensor::QuantizedTensor>(size_t index)> read;
  std::vector<std::string> left_out;  // Tensors of the source that the file has no name for.
};

/// A GGUF file: metadata, names and order are its own.
/// A Hugging Face folder, plain or quantized by Anybit: names and metadata of GGUF, rows of queries
/// and keys ordered for neighbouring pairs where the architecture asks for it, Gemma's norms plus
/// one, experts stacked, the tokenizer of tokenizer.json (none: tokenizer.ggml.model is "none").
/// Errors: those of gguf_config() and tokenizer_data_from_json(); kUnsupported if the tokenizer
/// read back from the metadata gives a probe text other ids, or for one file of a split model;
/// kNotFound or kCorruptData naming a tensor that is missing or has another shape.
Result<GgufContents> gguf_contents(const model::OpenedModel& opened);

/// The place in a GGUF file of row `row` of a folder's query or key matrix: row h * head_dim / 2 +
/// i of a head becomes row 2 i + h.
constexpr int64_t interleaved_row(int64_t row, int64_t head_dim) {
  const int64_t within = row % head_dim, half = head_dim / 2;
  return row - within + 2 * (within % half) + within / half;
}

}  // namespace anybit::recipe
