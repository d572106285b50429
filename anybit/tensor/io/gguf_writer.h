// Writing GGUF: metadata and the list of tensors first, then each tensor, in any order and one at
// a time.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "anybit/base/file.h"
#include "anybit/base/result.h"
#include "anybit/numeric/ggml/block_type.h"
#include "anybit/tensor/io/gguf_metadata.h"

namespace anybit::tensor {

/// A tensor that will be written.
struct GgufTensorDescription {
  std::string name;
  std::vector<int64_t> shape;  // Slowest first, at most 4 extents.
  numeric::GgmlType type = numeric::GgmlType::kF32;
};

class GgufWriter {
 public:
  /// Writes the header. The alignment is metadata's general.alignment, else 32. `version`: 2 or 3
  /// (the bytes differ in the version only).
  /// Errors: kInvalidArgument for a name given twice, more than 4 extents, an unfit shape (see
  /// ggml_size_bytes()), an invalid alignment or version; kIo.
  static Result<GgufWriter> create(const std::filesystem::path& path, const GgufMetadata& metadata,
                                   std::span<const GgufTensorDescription> tensors, int version = 3);

  /// Writes the blocks of one announced tensor.
  /// Errors: kInvalidArgument for an unknown name, a second write or a wrong size; kIo.
  Status write(std::string_view name, std::span<const std::byte> blocks);

  /// Writes the next blocks of one announced tensor, behind those of earlier calls.
  /// Errors: kInvalidArgument for an unknown name or more bytes than announced; kIo.
  Status append(std::string_view name, std::span<const std::byte> blocks);

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

  GgufWriter(AtomicFile file, std::string name);
  Result<Place*> find(std::string_view name);

  AtomicFile file_;
  std::string file_name_;
  int64_t end_ = 0;  // Size of the finished file, padding included.
  std::unordered_map<std::string, Place> places_;
};

}  // namespace anybit::tensor
