// Quantizing a whole checkpoint: tensor by tensor, a shard a layer, resumable.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "anybit/base/parallel.h"
#include "anybit/base/progress.h"
#include "anybit/base/result.h"
#include "anybit/quant/method/method.h"
#include "anybit/quant/metric/tensor_error.h"
#include "anybit/recipe/quantization_plan.h"
#include "anybit/tensor/quantized_tensor.h"
#include "anybit/tensor/tensor.h"

namespace anybit::recipe {

/// A model as quantization reads it: names and shapes of a Hugging Face folder, whatever the files.
struct CheckpointSource {
  std::string description;             // "models/wiki-6m": for messages and the resume check.
  std::vector<TensorSummary> tensors;  // Layers ascending within the list.
  std::function<Result<tensor::QuantizedTensor>(size_t index)> matrix;  // Any 2-D tensor.
  std::function<Result<tensor::Tensor>(size_t index)> vector;           // Any other.
  std::string config_json;  // Without a quantization_config.
  /// Other files of the checkpoint (tokenizer.json, ...): name in the folder and contents.
  std::vector<std::pair<std::string, std::string>> files;
};

struct QuantizeOptions {
  PlanOptions plan;
  const quant::Method* method = nullptr;  // Not null.
  quant::MethodOptions method_options;
  bool overwrite = false;  // Replace another checkpoint in the output folder.
  ProgressSink progress;
};

/// What became of one tensor.
struct TensorReport {
  std::string name;
  std::string scheme;  // Scheme string, or the type it was left in.
  std::vector<int64_t> shape;
  double bits_per_weight = 0;
  int64_t size_bytes = 0;
  std::optional<quant::TensorError> error;  // Only of tensors that were quantized.
};

struct QuantizeReport {
  std::vector<TensorReport> tensors;
  int64_t num_parameters = 0;
  int64_t size_bytes = 0;
  double bits_per_weight = 0;  // Of all parameters, every overhead counted.
  double relative_error = 0;   // Root mean square over quantized tensors, weighted by elements.
  int64_t resumed_shards = 0;  // Found complete from an earlier run.
};

/// Writes `source` quantized to the folder `out`: one safetensors shard a layer, the index,
/// config.json with its quantization_config, the other files, and quantization_report.json.
///
/// One slab of a matrix is in memory at a time, as floats and as codes (quantize_in_slabs.h). Each
/// shard appears whole or not at
/// all; config.json comes last. A run that was killed continues at the first missing shard when it
/// is started again with the same source and options.
/// Errors: those of plan_quantization() and the method; kInvalidArgument if `out` holds something
/// else and overwrite is off; kIo.
Result<QuantizeReport> quantize_model(const CheckpointSource& source,
                                      const std::filesystem::path& out,
                                      const QuantizeOptions& options);

}  // namespace anybit::recipe
