#include "anybit/vm/backend/cuda/runtime/cubin_cache.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "anybit/base/file.h"

namespace anybit::vm::cuda {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kMagic = "anybit cubin v1\n";
constexpr std::string_view kExtension = ".cubin";
constexpr std::string_view kTemporaryMark = ".cubin.tmp-";  // AtomicFile's names.

/// Follows the magic; then arch, key, log and cubin, one after the other.
struct EntryHeader {
  Sha256::Digest checksum;  // Of everything after it.
  double seconds;
  uint64_t arch_bytes;
  uint64_t key_bytes;
  uint64_t log_bytes;
  uint64_t cubin_bytes;
};
static_assert(sizeof(EntryHeader) == 72);

std::string serialize(const std::string& key, const Cubin& cubin) {
  EntryHeader header{{},         cubin.seconds,    cubin.arch.size(),
                     key.size(), cubin.log.size(), cubin.bytes.size()};
  const std::string_view code(reinterpret_cast<const char*>(cubin.bytes.data()),
                              cubin.bytes.size());
  std::string entry(kMagic);
  entry.resize(kMagic.size() + sizeof(header));
  entry.append(cubin.arch).append(key).append(cubin.log).append(code);
  std::memcpy(entry.data() + kMagic.size(), &header, sizeof(header));
  const size_t checked = kMagic.size() + sizeof(header.checksum);
  header.checksum = sha256(std::as_bytes(std::span(entry).subspan(checked)));
  std::memcpy(entry.data() + kMagic.size(), &header, sizeof(header));
  return entry;
}

Result<Cubin> deserialize(const std::string& name, const std::string& key, std::string_view entry) {
  EntryHeader header;
  if (entry.size() < kMagic.size() + sizeof(header) || !entry.starts_with(kMagic)) {
    return fail(ErrorCode::kCorruptData, "{}: not a cubin entry, or cut short at {} bytes", name,
                entry.size());
  }
  std::memcpy(&header, entry.data() + kMagic.size(), sizeof(header));
  const size_t checked = kMagic.size() + sizeof(header.checksum);
  const Sha256::Digest found = sha256(std::as_bytes(std::span(entry).subspan(checked)));
  if (found != header.checksum) {
    return fail(ErrorCode::kCorruptData, "{}: expected checksum {}, found {}", name,
                to_hex(header.checksum), to_hex(found));
  }
  std::string_view rest = entry.substr(kMagic.size() + sizeof(header));
  const auto take = [&rest](uint64_t num_bytes) {
    const std::string_view taken = rest.substr(0, std::min<uint64_t>(num_bytes, rest.size()));
    rest.remove_prefix(taken.size());
    return taken;
  };
  Cubin cubin;
  cubin.arch = take(header.arch_bytes);
  const std::string_view found_key = take(header.key_bytes);
  cubin.log = take(header.log_bytes);
  const auto code = std::as_bytes(std::span(take(header.cubin_bytes)));
  cubin.bytes.assign(code.begin(), code.end());
  if (found_key != key) {
    return fail(ErrorCode::kCorruptData, "{}: holds the entry of key '{}'", name, found_key);
  }
  if (cubin.bytes.size() != header.cubin_bytes || !rest.empty()) {
    return fail(ErrorCode::kCorruptData, "{}: expected {} bytes of code, found {} and {} more",
                name, header.cubin_bytes, cubin.bytes.size(), rest.size());
  }
  cubin.seconds = header.seconds;
  cubin.kernels = parse_kernel_resources(cubin.log);
  return cubin;
}

struct EntryFile {
  fs::path path;
  int64_t size_bytes = 0;
  fs::file_time_type used;
};

/// Files of `folder` whose name contains `mark`. Those that vanish meanwhile are left out.
Result<std::vector<EntryFile>> list_files(const fs::path& folder, std::string_view mark) {
  std::error_code error;
  std::vector<EntryFile> files;
  fs::directory_iterator item(folder, error);
  for (; !error && item != fs::directory_iterator(); item.increment(error)) {
    if (item->path().filename().string().find(mark) == std::string::npos) continue;
    std::error_code vanished;
    EntryFile file{item->path()};
    file.size_bytes = static_cast<int64_t>(fs::file_size(file.path, vanished));
    if (vanished) continue;
    file.used = fs::last_write_time(file.path, vanished);
    if (!vanished) files.push_back(std::move(file));
  }
  if (error) {
    return fail(ErrorCode::kIo, "{}: cannot list: {}", folder.string(), error.message());
  }
  return files;
}

bool is_entry(const EntryFile& file) { return file.path.extension() == kExtension; }

const char* set_variable(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr && *value != '\0' ? value : nullptr;
}

}  // namespace

std::string cubin_key(std::string_view source, const CompileOptions& options,
                      std::string_view compiler_version) {
  Sha256 hash;
  hash.update_field(kMagic);
  hash.update_field(compiler_version);
  const std::vector<std::string> flags = nvrtc_options(options);
  hash.update_field(std::to_string(flags.size()));
  for (const std::string& flag : flags) hash.update_field(flag);
  for (const IncludeText& include : options.includes) {
    hash.update_field(include.name);
    hash.update_field(include.text);
  }
  hash.update_field(options.source_name);
  hash.update_field(source);
  return to_hex(hash.finish());
}

Result<fs::path> default_cubin_folder() {
  if (const char* own = set_variable("ANYBIT_CACHE_DIR")) return fs::path(own);
  if (const char* xdg = set_variable("XDG_CACHE_HOME"); xdg != nullptr && *xdg == '/') {
    return fs::path(xdg) / "anybit" / "cubin";
  }
  if (const char* home = set_variable("HOME")) {
    return fs::path(home) / ".cache" / "anybit" / "cubin";
  }
  return fail(
      ErrorCode::kNotFound,
      "no place for compiled kernels: none of ANYBIT_CACHE_DIR, XDG_CACHE_HOME, HOME is set");
}

Result<CubinCache> CubinCache::open(const fs::path& folder, int64_t max_bytes) {
  if (max_bytes < 0) {
    return fail(ErrorCode::kInvalidArgument, "a cubin cache of at most {} bytes", max_bytes);
  }
  std::error_code error;
  const bool is_new = fs::create_directories(folder, error);
  if (is_new && !error) fs::permissions(folder, fs::perms::owner_all, error);
  if (!error && !fs::is_directory(folder, error) && !error) {
    error = std::make_error_code(std::errc::not_a_directory);
  }
  if (error) {
    return fail(ErrorCode::kIo, "{}: cannot make the folder for compiled kernels: {}",
                folder.string(), error.message());
  }
  return CubinCache(folder, max_bytes);
}

Result<CubinCache> CubinCache::open_default() {
  ANYBIT_ASSIGN(const fs::path folder, default_cubin_folder());
  return open(folder);
}

fs::path CubinCache::entry_path(const std::string& key) const {
  return folder_ / (key + std::string(kExtension));
}

Result<std::optional<Cubin>> CubinCache::find(const std::string& key) const {
  const fs::path path = entry_path(key);
  const Result<std::string> entry = read_text_file(path);
  if (!entry && entry.error().code == ErrorCode::kNotFound) return std::nullopt;
  ANYBIT_TRY(entry);
  ANYBIT_ASSIGN(Cubin cubin, deserialize(path.string(), key, *entry));
  std::error_code ignored;  // An entry that cannot be marked is only forgotten earlier.
  fs::last_write_time(path, fs::file_time_type::clock::now(), ignored);
  return cubin;
}

Status CubinCache::store(const std::string& key, const Cubin& cubin) const {
  const std::string entry = serialize(key, cubin);
  if (static_cast<int64_t>(entry.size()) > max_bytes_) {
    return fail(ErrorCode::kInvalidArgument, "{}: an entry of {} bytes; the limit of all is {}",
                folder_.string(), entry.size(), max_bytes_);
  }
  const fs::path path = entry_path(key);
  ANYBIT_TRY(write_file(path, entry));
  return evict(path);
}

Status CubinCache::evict(const fs::path& kept) const {
  ANYBIT_ASSIGN(std::vector<EntryFile> files, list_files(folder_, kExtension));
  std::sort(files.begin(), files.end(),
            [](const EntryFile& a, const EntryFile& b) { return a.used < b.used; });
  int64_t total = 0;
  for (const EntryFile& file : files) total += is_entry(file) ? file.size_bytes : 0;
  const auto abandoned = fs::file_time_type::clock::now() - std::chrono::hours(1);
  std::error_code ignored;  // Another process may have removed it first.
  for (const EntryFile& file : files) {
    if (is_entry(file)) {
      if (total <= max_bytes_ || file.path == kept) continue;
      total -= file.size_bytes;
      fs::remove(file.path, ignored);
    } else if (file.path.filename().string().find(kTemporaryMark) != std::string::npos &&
               file.used < abandoned) {
      fs::remove(file.path, ignored);  // Of a process that was killed while writing.
    }
  }
  return {};
}

Result<int64_t> CubinCache::size_bytes() const {
  ANYBIT_ASSIGN(const std::vector<EntryFile> files, list_files(folder_, kExtension));
  int64_t total = 0;
  for (const EntryFile& file : files) total += is_entry(file) ? file.size_bytes : 0;
  return total;
}

Result<CubinCache::Lookup> CubinCache::get_or_compile(
    const std::string& key, const std::function<Result<Cubin>()>& compile) const {
  Lookup lookup;
  Result<std::optional<Cubin>> found = find(key);
  if (found && found->has_value()) {
    lookup.cubin = std::move(**found);
    lookup.was_cached = true;
    return lookup;
  }
  if (!found) lookup.problem = found.error().message;
  ANYBIT_ASSIGN(lookup.cubin, compile());
  if (const Status stored = store(key, lookup.cubin); !stored) {
    lookup.problem += (lookup.problem.empty() ? "" : "; ") + stored.error().message;
  }
  return lookup;
}

Result<CubinCache::Lookup> CubinCache::get_or_compile(const Compiler& compiler,
                                                      std::string_view source,
                                                      const CompileOptions& options) const {
  return get_or_compile(cubin_key(source, options, compiler.version()),
                        [&] { return compiler.compile(source, options); });
}

}  // namespace anybit::vm::cuda
