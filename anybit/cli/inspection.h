// What a model or tensor file holds, whatever its format: for `anybit inspect`.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "anybit/base/result.h"
#include "anybit/model/config.h"

namespace anybit::cli {

struct InspectedTensor {
  std::string name;
  std::string stored_as;       // "bf16", "q4_k", "int4_g128", "I64".
  std::vector<int64_t> shape;  // Slowest first.
  int64_t size_bytes = 0;      // All parts: codes, scales, zero points, codebook.

  int64_t num_elements() const;
  /// 0 for a tensor without elements.
  double bits_per_element() const;
};

struct Inspection {
  std::string path;
  std::string format;                              // "gguf", "safetensors", "npy", "folder".
  std::optional<model::ModelConfig> config;        // Of a model whose family is known.
  std::string config_problem;                      // Why there is no config; may be empty.
  std::optional<std::string> quantization_scheme;  // Of a folder with a quantization_config.
  std::vector<std::pair<std::string, std::string>> metadata;  // Long values are cut.
  std::vector<InspectedTensor> tensors;                       // In the file's order.

  int64_t num_elements() const;
  int64_t size_bytes() const;
};

/// Opens a Hugging Face folder, a .gguf, .safetensors or .npy file, or hf:ORG/REPO, and lists it.
/// Errors: kInvalidArgument for another kind of file; those of the readers.
Result<Inspection> inspect(const std::string& name);

}  // namespace anybit::cli
