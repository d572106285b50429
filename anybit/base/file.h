// Files: reading through a map, and writing so that a reader sees the whole file or none of it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "anybit/base/buffer.h"
#include "anybit/base/result.h"

namespace anybit {

/// Maps the file read-only. The Buffer (and its slices) keep the map alive.
/// Errors: kNotFound, or kIo with the system's reason.
Result<Buffer> map_file(const std::filesystem::path& path);

/// The file's bytes as a string.
/// Errors: kNotFound, kIo; kInvalidArgument if it is larger than max_bytes.
Result<std::string> read_text_file(const std::filesystem::path& path,
                                   int64_t max_bytes = int64_t{1} << 30);

/// Writes to a temporary name beside `path`; commit() makes it durable and renames it into place.
/// Destroyed without commit(), it leaves nothing behind.
class AtomicFile {
 public:
  /// Errors: kIo if the directory is missing or not writable.
  static Result<AtomicFile> create(const std::filesystem::path& path);

  AtomicFile(AtomicFile&& other) noexcept;
  AtomicFile& operator=(AtomicFile&& other) noexcept;
  ~AtomicFile();

  /// Appends. Errors: kIo (disk full, ...).
  Status write(std::span<const std::byte> bytes);
  Status write(std::string_view text);

  /// Writes at `offset`, wherever write() stands; bytes never written read as zero.
  /// Pre: offset >= 0. Errors: kIo.
  Status write_at(int64_t offset, std::span<const std::byte> bytes);

  /// Bytes appended so far.
  int64_t position() const { return position_; }

  /// fsync, rename over the final name, fsync the directory. No write may follow.
  Status commit();

 private:
  AtomicFile() = default;
  void discard();

  std::filesystem::path path_;
  std::filesystem::path temporary_path_;
  int descriptor_ = -1;
  int64_t position_ = 0;
};

/// Writes the whole file through an AtomicFile.
Status write_file(const std::filesystem::path& path, std::string_view text);

}  // namespace anybit
