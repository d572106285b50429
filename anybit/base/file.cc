#include "anybit/base/file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace anybit {
namespace {

std::string system_reason(int error) { return std::generic_category().message(error); }

tl::unexpected<Error> open_failure(const std::filesystem::path& path, int error) {
  const ErrorCode code = error == ENOENT ? ErrorCode::kNotFound : ErrorCode::kIo;
  return fail(code, "{}: cannot open: {}", path.string(), system_reason(error));
}

class Descriptor {
 public:
  explicit Descriptor(int value) : value_(value) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (value_ >= 0) ::close(value_);
  }
  int get() const { return value_; }

 private:
  int value_;
};

}  // namespace

Result<Buffer> map_file(const std::filesystem::path& path) {
  const Descriptor descriptor(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (descriptor.get() < 0) return open_failure(path, errno);
  struct stat status {};
  if (::fstat(descriptor.get(), &status) != 0) return open_failure(path, errno);
  if (!S_ISREG(status.st_mode)) {
    return fail(ErrorCode::kIo, "{}: expected a regular file", path.string());
  }
  const auto size = static_cast<size_t>(status.st_size);
  if (size == 0) return Buffer();
  void* memory = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, descriptor.get(), 0);
  if (memory == MAP_FAILED) return open_failure(path, errno);
  std::shared_ptr<const void> owner(memory, [size](void* p) { ::munmap(p, size); });
  return Buffer::mapped(std::move(owner), {static_cast<const std::byte*>(memory), size});
}

Result<std::string> read_text_file(const std::filesystem::path& path, int64_t max_bytes) {
  ANYBIT_ASSIGN(const Buffer buffer, map_file(path));
  if (buffer.size() > max_bytes) {
    return fail(ErrorCode::kInvalidArgument, "{}: expected at most {} bytes, found {}",
                path.string(), max_bytes, buffer.size());
  }
  return std::string(reinterpret_cast<const char*>(buffer.data()),
                     static_cast<size_t>(buffer.size()));
}

Result<AtomicFile> AtomicFile::create(const std::filesystem::path& path) {
  AtomicFile file;
  file.path_ = path;
  std::string name = path.string() + ".tmp-XXXXXX";
  file.descriptor_ = ::mkostemp(name.data(), O_CLOEXEC);
  if (file.descriptor_ < 0) {
    return fail(ErrorCode::kIo, "{}: cannot create: {}", path.string(), system_reason(errno));
  }
  file.temporary_path_ = name;
  constexpr mode_t kEverybodyReads = 0644;
  ::fchmod(file.descriptor_, kEverybodyReads);
  return file;
}

AtomicFile::AtomicFile(AtomicFile&& other) noexcept { *this = std::move(other); }

AtomicFile& AtomicFile::operator=(AtomicFile&& other) noexcept {
  if (this != &other) {
    discard();
    path_ = std::move(other.path_);
    temporary_path_ = std::move(other.temporary_path_);
    descriptor_ = std::exchange(other.descriptor_, -1);
    position_ = other.position_;
  }
  return *this;
}

AtomicFile::~AtomicFile() { discard(); }

void AtomicFile::discard() {
  if (descriptor_ < 0) return;
  ::close(descriptor_);
  ::unlink(temporary_path_.c_str());
  descriptor_ = -1;
}

Status AtomicFile::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor_, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) {
      return fail(ErrorCode::kIo, "{}: cannot write: {}", path_.string(), system_reason(errno));
    }
    position_ += written;
    bytes = bytes.subspan(static_cast<size_t>(written));
  }
  return {};
}

Status AtomicFile::write(std::string_view text) {
  return write(std::as_bytes(std::span(text.data(), text.size())));
}

Status AtomicFile::write_at(int64_t offset, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::pwrite(descriptor_, bytes.data(), bytes.size(), offset);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) {
      return fail(ErrorCode::kIo, "{}: cannot write: {}", path_.string(), system_reason(errno));
    }
    offset += written;
    bytes = bytes.subspan(static_cast<size_t>(written));
  }
  return {};
}

Status AtomicFile::commit() {
  if (::fsync(descriptor_) != 0 || ::rename(temporary_path_.c_str(), path_.c_str()) != 0) {
    const int error = errno;
    discard();
    return fail(ErrorCode::kIo, "{}: cannot finish: {}", path_.string(), system_reason(error));
  }
  ::close(std::exchange(descriptor_, -1));
  const std::filesystem::path folder = path_.has_parent_path() ? path_.parent_path() : ".";
  const Descriptor directory(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (directory.get() >= 0) ::fsync(directory.get());
  return {};
}

Status write_file(const std::filesystem::path& path, std::string_view text) {
  ANYBIT_ASSIGN(AtomicFile file, AtomicFile::create(path));
  ANYBIT_TRY(file.write(text));
  return file.commit();
}

}  // namespace anybit
