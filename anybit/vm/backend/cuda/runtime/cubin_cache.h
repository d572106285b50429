// Compiled kernels kept on disk, so that a kernel is compiled once a machine. An entry is named by
// the content of everything that decides it; nothing in it depends on when or where it was made.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "anybit/base/result.h"
#include "anybit/vm/backend/cuda/runtime/compile.h"
#include "anybit/vm/backend/cuda/runtime/sha256.h"

namespace anybit::vm::cuda {

/// The SHA-256 of the format of entries, NVRTC's version, the options given to it, and all texts.
std::string cubin_key(std::string_view source, const CompileOptions& options,
                      std::string_view compiler_version);

/// Where cubins are kept: $ANYBIT_CACHE_DIR, or $XDG_CACHE_HOME/anybit/cubin, or
/// $HOME/.cache/anybit/cubin. Empty variables count as unset, and so do relative XDG_CACHE_HOMEs.
/// Errors: kNotFound if none is set.
/// Source: XDG Base Directory Specification 0.8.
Result<std::filesystem::path> default_cubin_folder();

/// A folder of cubins. Threads and processes may share it: entries appear whole, by renaming; two
/// that miss the same entry at the same time both compile, and one of the equal results stays.
class CubinCache {
 public:
  static constexpr int64_t kDefaultMaxBytes = int64_t{512} << 20;

  /// Opens `folder`, making it, for its owner alone, if it is missing. Entries used least recently
  /// are removed once all take more than `max_bytes`.
  /// Errors: kInvalidArgument if max_bytes is negative; kIo if the folder cannot be made.
  static Result<CubinCache> open(const std::filesystem::path& folder,
                                 int64_t max_bytes = kDefaultMaxBytes);

  /// open() on default_cubin_folder().
  static Result<CubinCache> open_default();

  /// A cubin, and what the cache did about it.
  struct Lookup {
    Cubin cubin;
    bool was_cached = false;
    std::string problem;  // Why the entry was damaged or could not be kept; usually empty.
  };

  /// The entry, or the result of `compile`, which is then kept. A damaged entry is replaced; a
  /// folder that cannot be read or written costs time, not the result: see Lookup::problem.
  /// Errors: only those of `compile`, whose failures are not kept.
  Result<Lookup> get_or_compile(const std::string& key,
                                const std::function<Result<Cubin>()>& compile) const;

  /// The same with cubin_key() and Compiler::compile().
  Result<Lookup> get_or_compile(const Compiler& compiler, std::string_view source,
                                const CompileOptions& options) const;

  /// The entry, marked as used; nothing if there is none.
  /// Errors: kCorruptData if its content does not have the length and checksum it was written with,
  /// or is another key's; kIo.
  Result<std::optional<Cubin>> find(const std::string& key) const;

  /// Writes the entry, then removes others as the limit demands.
  /// Errors: kIo (disk full, ...); kInvalidArgument if it alone exceeds the limit.
  Status store(const std::string& key, const Cubin& cubin) const;

  /// Bytes of all entries. Errors: kIo.
  Result<int64_t> size_bytes() const;

  const std::filesystem::path& folder() const { return folder_; }

  /// The file of an entry.
  std::filesystem::path entry_path(const std::string& key) const;

 private:
  CubinCache(std::filesystem::path folder, int64_t max_bytes)
      : folder_(std::move(folder)), max_bytes_(max_bytes) {}
  Status evict(const std::filesystem::path& kept) const;

  std::filesystem::path folder_;
  int64_t max_bytes_ = 0;
};

}  // namespace anybit::vm::cuda
