// Writing safetensors: the list of tensors is announced, then each is written, in any order and
// one at a time, so that memory holds one tensor and not the file.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "anybit/base/file.h"
#include "anybit/base/result.h"
#include "anybit/tensor/io/safetensors.h"
#include "anybit/tensor/tensor.h"

namespace anybit::tensor {

/// A tensor that will be written.
struct TensorDescription {
  std::string name;
  DataType data_type = DataType::kF32;
  std::vector<int64_t> shape;
};

using SafetensorsMetadata = std::map<std::string, std::string>;

class SafetensorsWriter {
 public:
  /// Lays the file out: widest elements first (so that all are aligned), else as announced; the
  /// data start at a multiple of 8. replace_metadata() may later put other metadata in the place
  /// of `metadata`.
  /// Errors: kInvalidArgument for a name given twice, "__metadata__", text that is not UTF-8, or a
  /// shape whose size overflows; kIo.
  static Result<SafetensorsWriter> create(const std::filesystem::path& path,
                                          std::span<const TensorDescription> tensors,
                                          const SafetensorsMetadata& metadata = {});

  /// Writes the elements of one announced tensor.
  /// Errors: kInvalidArgument for an unknown name, a second write or a wrong size; kIo.
  Status write(std::string_view name, std::span<const std::byte> elements);

  /// Writes the next elements of one announced tensor, behind those of earlier calls.
  /// Errors: kInvalidArgument for an unknown name or more bytes than announced; kIo.
  Status append(std::string_view name, std::span<const std::byte> elements);

  /// Sets the metadata anew; what they leave of the header's place becomes spaces.
  /// Errors: kInvalidArgument if they take more than those given to create(); kIo.
  Status replace_metadata(const SafetensorsMetadata& metadata);

  /// Makes the file appear under its name.
  /// Errors: kInvalidArgument naming a tensor that was announced and not wholly written; kIo.
  Status commit();

 private:
  struct Place {
    int64_t offset;  // In the file.
    int64_t size_bytes;
    int64_t written_bytes;
    bool is_begun;
  };

  SafetensorsWriter(AtomicFile file, std::string name);
  Result<Place*> find(std::string_view name);

  AtomicFile file_;
  std::string file_name_;
  std::unordered_map<std::string, Place> places_;
  std::string entries_;      // The header's members for the tensors.
  int64_t header_size_ = 0;  // Of the JSON text, with its padding.
};

/// Writes a whole file. Errors: as for SafetensorsWriter.
Status write_safetensors(const std::filesystem::path& path, std::span<const NamedTensor> tensors,
                         const SafetensorsMetadata& metadata = {});

/// Writes a model.safetensors.index.json: which shard (a file name) holds each tensor.
/// Errors: kInvalidArgument for text that is not UTF-8; kIo.
Status write_safetensors_index(const std::filesystem::path& path,
                               const std::map<std::string, std::string>& shard_of_tensor,
                               int64_t total_size_bytes);

}  // namespace anybit::tensor
