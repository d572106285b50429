// Reading safetensors: one file or a sharded set, mapped, its tensors views into the map.
// Writing: safetensors_writer.h. Quantized tensors made of several of these: quantized_folder.h.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "anybit/base/buffer.h"
#include "anybit/base/result.h"
#include "anybit/tensor/tensor.h"

namespace anybit::tensor {

struct NamedTensor {
  std::string name;
  Tensor tensor;
};

/// The tensors of one safetensors file, or of all shards of a checkpoint.
/// Source: the safetensors format: u64 header size, JSON header, data without holes.
class Safetensors {
 public:
  Safetensors() = default;

  /// Opens a .safetensors file, a model.safetensors.index.json (with the shards beside it), or a
  /// folder that holds one of model.safetensors.index.json and model.safetensors.
  /// Post: elements of every tensor are aligned to their size (a misaligned tensor is copied).
  /// Errors: kNotFound; kIo; kCorruptData naming file and tensor, what was expected and found:
  /// header size over 100 MB or over the file, not a JSON object, names given twice, an element
  /// type, shape or range that disagrees with another, holes, overlaps, a weight_map that names a
  /// file outside the folder or a tensor its shard lacks; kUnsupported for an unknown dtype.
  static Result<Safetensors> open(const std::filesystem::path& path);

  /// One file's bytes; `file_name` opens error messages. Errors: as for open().
  static Result<Safetensors> parse(const Buffer& file, std::string_view file_name);

  /// All tensors: shards in the order of their names, tensors in the order of their bytes.
  std::span<const NamedTensor> tensors() const { return tensors_; }

  /// The tensor of that name, or null.
  const Tensor* find(std::string_view name) const;

  /// find(), or kNotFound naming the tensor and the file.
  Result<Tensor> get(std::string_view name) const;

  /// The strings of __metadata__ (of a sharded set: of the first shard).
  const std::map<std::string, std::string>& metadata() const { return metadata_; }

 private:
  static Result<Safetensors> open_index(const std::filesystem::path& index_path);
  void index_names();

  std::string source_;  // What get() calls the file.
  std::vector<NamedTensor> tensors_;
  std::unordered_map<std::string, size_t> index_of_name_;
  std::map<std::string, std::string> metadata_;
};

}  // namespace anybit::tensor
