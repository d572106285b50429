// A checkpoint folder in Hugging Face's style whose matrices may be quantized: config.json with a
// quantization_config, and safetensors with the parts of each quantized matrix:
//
//   <name>.codes         U8 [rows, bytes a row] where rows are whole bytes, else U8 [bytes]
//   <name>.scales        f32, f16, bf16, e4m3, e5m2, e8m0: that type, [scale rows, scale cols];
//                        other scale formats: the packed bit stream, U8 [bytes]
//   <name>.zero_points   the packed bit stream, U8 [bytes]; only with a zero point
//   <name>.codebook      F32 [2^bits], ascending; only for fitted codebooks
//   <name>.tensor_scale  F32 []; only with a second-level scale
//
//   "quantization_config": {
//     "quant_method": "anybit", "format_version": 1,
//     "scheme": "int4_g128",                         what most tensors have
//     "method": "rtn",                               how the codes were chosen (for people)
//     "tensors": {"model.layers.0.mlp.up_proj.weight": {"scheme": "int4_g128", "shape": [64, 32]}}
//   }
//
// A tensor that "tensors" does not name is plain.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "anybit/base/result.h"
#include "anybit/numeric/scheme.h"
#include "anybit/tensor/io/safetensors.h"
#include "anybit/tensor/io/safetensors_writer.h"
#include "anybit/tensor/quantized_tensor.h"

namespace anybit::tensor {

/// How one matrix is stored.
struct StoredMatrix {
  numeric::Scheme scheme;
  int64_t rows = 0;
  int64_t cols = 0;
  friend bool operator==(const StoredMatrix&, const StoredMatrix&) = default;
};

/// The contents of quantization_config.
struct QuantizationConfig {
  numeric::Scheme scheme;  // The default; information only, "tensors" is complete.
  std::string method;      // May be empty.
  std::map<std::string, StoredMatrix> tensors;
  friend bool operator==(const QuantizationConfig&, const QuantizationConfig&) = default;
};

/// Reads quantization_config out of the text of a config.json; nothing if it has none.
/// Errors: kCorruptData naming member, expected and found; kUnsupported for another quant_method
/// or format_version.
Result<std::optional<QuantizationConfig>> parse_quantization_config(std::string_view config_json,
                                                                    std::string_view file_name);

/// The text of `config_json` with its quantization_config set; other members keep their order.
/// Errors: kCorruptData if config_json is no JSON object; kInvalidArgument for a tensor name that
/// is not UTF-8.
Result<std::string> with_quantization_config(std::string_view config_json,
                                             const QuantizationConfig& quantization);

/// Whether a matrix under `scheme` is stored as one plain tensor: no scales, and an element type
/// that safetensors has (f32, f16, bf16, e4m3, e5m2, e8m0).
bool is_plain(const numeric::Scheme& scheme);

/// The tensors that a matrix is stored as: for announcing to a SafetensorsWriter. Plain schemes
/// give one tensor of that name.
/// Errors: kInvalidArgument if the matrix does not fit the scheme.
Result<std::vector<TensorDescription>> describe_parts(std::string_view name,
                                                      const StoredMatrix& matrix);

/// Writes those tensors. Pre: announced with describe_parts() of the same scheme and extents.
/// Errors: as for SafetensorsWriter::write(); kCorruptData if validate() fails.
Status write_parts(SafetensorsWriter& writer, std::string_view name, const QuantizedTensor& matrix);

/// Writes the next rows of a matrix to those tensors: write_parts() in slabs (see row_slab()),
/// first to last. What all rows share (codebook, tensor scale, the scale of granularity kTensor) is
/// written with the first.
/// Errors: as for write_parts().
Status append_parts(SafetensorsWriter& writer, std::string_view name, const QuantizedTensor& slab,
                    bool is_first);

/// A folder open for reading.
class QuantizedFolder {
 public:
  /// Errors: those of Safetensors::open() and parse_quantization_config(); kCorruptData naming the
  /// tensor and part if a part is missing, has another type or size than its scheme and shape
  /// ask for, or if a codebook does not ascend or is not finite.
  static Result<QuantizedFolder> open(const std::filesystem::path& folder);

  /// The same from parts already in memory.
  static Result<QuantizedFolder> assemble(std::string config_json, Safetensors safetensors,
                                          std::string_view folder_name);

  /// The text of config.json.
  const std::string& config_json() const { return config_json_; }

  /// Nothing for a folder that is not quantized.
  const std::optional<QuantizationConfig>& quantization() const { return quantization_; }

  /// Names of all matrices and tensors (parts are not listed), sorted.
  const std::vector<std::string>& names() const { return names_; }

  bool contains(std::string_view name) const;

  /// Extents: [rows, cols] of a quantized matrix, the shape of a plain tensor.
  /// Errors: kNotFound.
  Result<std::vector<int64_t>> shape(std::string_view name) const;

  /// A matrix in its own scheme. A plain 2-D tensor of a type that is_plain() gets a scheme without
  /// scales; the bytes are shared, not copied.
  /// Errors: kNotFound; kUnsupported if it is no matrix of such a type.
  Result<QuantizedTensor> matrix(std::string_view name) const;

  /// A plain tensor.
  /// Errors: kNotFound; kUnsupported if it is quantized.
  Result<Tensor> tensor(std::string_view name) const;

 private:
  Status check_and_list();
  Status check_parts(const std::string& name, const StoredMatrix& stored) const;
  Status check_contents(const std::string& name) const;
  const StoredMatrix* find_stored(std::string_view name) const;
  Result<QuantizedTensor> read_quantized(std::string_view name, const StoredMatrix& stored) const;

  std::string config_json_;
  std::string folder_name_;
  Safetensors safetensors_;
  std::optional<QuantizationConfig> quantization_;
  std::vector<std::string> names_;
};

}  // namespace anybit::tensor
