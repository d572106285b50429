// WeightSource: where a model's tensors come from. One interface over Hugging Face folders
// (plain or quantized by Anybit), GGUF files and synthetic models; readers of whole layers on top.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "anybit/base/result.h"
#include "anybit/model/architecture/architecture.h"
#include "anybit/model/config.h"
#include "anybit/tensor/io/gguf.h"
#include "anybit/tensor/quantized_tensor.h"

namespace anybit::model {

/// The tensors of one model by their stored names. Immutable; usable from several threads.
class WeightSource {
 public:
  virtual ~WeightSource() = default;

  /// What messages call it: a path, or the name of a synthetic model.
  virtual const std::string& name() const = 0;
  virtual const ModelConfig& config() const = 0;
  /// The stored name of each role, with the folder's prefix.
  virtual std::string_view name_pattern(TensorRole role) const = 0;

  virtual bool contains(std::string_view tensor) const = 0;
  /// Slowest first. Errors: kNotFound.
  virtual Result<std::vector<int64_t>> shape(std::string_view tensor) const = 0;
  /// A tensor of two or more extents as [product of leading extents, last], in its own scheme;
  /// mapped bytes are shared.
  /// Errors: kNotFound; kUnsupported for an element type that is no scheme; kCorruptData.
  virtual Result<tensor::QuantizedTensor> matrix(std::string_view tensor) const = 0;
  /// All elements as floats. Errors: as for matrix().
  virtual Result<std::vector<float>> floats(std::string_view tensor) const = 0;
};

/// Opens a folder with config.json and safetensors; plain or with a quantization_config.
/// Errors: those of tensor::QuantizedFolder::open() and parse_model_config(); kUnsupported for
/// another quant_method.
Result<std::shared_ptr<const WeightSource>> open_folder_weights(
    const std::filesystem::path& folder);

/// The tensors of an open GGUF file; `file_name` opens messages.
/// Errors: those of parse_model_config().
Result<std::shared_ptr<const WeightSource>> open_gguf_weights(
    std::shared_ptr<const tensor::GgufFile> file, std::string file_name);

/// The weights of one feed-forward layer or expert.
struct MlpWeights {
  tensor::QuantizedTensor gate;  // [intermediate_size, hidden_size]
  tensor::QuantizedTensor up;    // [intermediate_size, hidden_size]
  tensor::QuantizedTensor down;  // [hidden_size, intermediate_size]
  std::vector<float> gate_bias;  // [intermediate_size], or empty
  std::vector<float> up_bias;    // [intermediate_size], or empty
  std::vector<float> down_bias;  // [hidden_size], or empty
};

/// The weights of one decoder layer; what the config switches off is empty.
struct LayerWeights {
  std::vector<float> attention_norm;       // [hidden_size]
  tensor::QuantizedTensor query;           // [q_size, hidden_size]
  tensor::QuantizedTensor key;             // [kv_size, hidden_size]
  tensor::QuantizedTensor value;           // [kv_size, hidden_size]
  std::vector<float> query_bias;           // [q_size]
  std::vector<float> key_bias;             // [kv_size]
  std::vector<float> value_bias;           // [kv_size]
  std::vector<float> query_norm;           // [head_dim]
  std::vector<float> key_norm;             // [head_dim]
  tensor::QuantizedTensor output;          // [hidden_size, q_size]
  std::vector<float> output_bias;          // [hidden_size]
  std::vector<float> post_attention_norm;  // [hidden_size]
  std::vector<float> mlp_norm;             // [hidden_size]
  std::vector<float> post_mlp_norm;        // [hidden_size]
  tensor::QuantizedTensor router;          // [num_experts, hidden_size]
  std::vector<MlpWeights> experts;         // [num_experts], or one.
};

/// The weights outside the layers.
struct OuterWeights {
  tensor::QuantizedTensor embedding;  // [vocab_size, hidden_size]
  std::vector<float> output_norm;     // [hidden_size]
  tensor::QuantizedTensor output;     // [vocab_size, hidden_size]; empty (0 rows) if tied.
  std::vector<double> rope_divisors;  // [rotary_dim / 2], or empty.
};

/// Reads layer `layer`, and what is outside the layers.
/// Errors: kNotFound or kCorruptData naming source, tensor, expected and found shape; the source's.
Result<LayerWeights> read_layer(const WeightSource& source, int64_t layer);
Result<OuterWeights> read_outer(const WeightSource& source);

/// Rows [first, first + count) of a matrix, sharing its bytes.
/// Errors: kUnsupported if a row is not whole bytes, or the scheme is neither plain nor of blocks.
Result<tensor::QuantizedTensor> slice_rows(const tensor::QuantizedTensor& matrix, int64_t first,
                                           int64_t count);

}  // namespace anybit::model
