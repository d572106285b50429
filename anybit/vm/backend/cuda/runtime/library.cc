#include "anybit/vm/backend/cuda/runtime/library.h"

#include <dlfcn.h>

#include <cstdlib>
#include <vector>

#include "anybit/base/check.h"

namespace anybit::vm::cuda {
namespace {

namespace fs = std::filesystem;

// The layouts of CUDA's own structures on a 64-bit machine.
static_assert(sizeof(LaunchAttribute) == 72 && sizeof(LaunchConfig) == 56);
static_assert(offsetof(LaunchConfig, stream) == 32 && offsetof(LaunchConfig, attributes) == 40);

constexpr const char* kNvrtcFiles[] = {"libnvrtc.so", "libnvrtc.so.13", "libnvrtc.so.12"};

/// Where NVRTC lies inside a toolkit, an installed wheel, or site-packages.
constexpr const char* kNvrtcFolders[] = {"",
                                         "lib64",
                                         "lib",
                                         "targets/x86_64-linux/lib",
                                         "targets/sbsa-linux/lib",
                                         "nvidia/cu13/lib",
                                         "nvidia/cuda_nvrtc/lib"};

constexpr const char* kDriverFiles[] = {"libcuda.so.1", "/usr/local/nvidia/lib64/libcuda.so.1",
                                        "/usr/local/nvidia/lib/libcuda.so.1",
                                        "/usr/lib/wsl/lib/libcuda.so.1"};

fs::path environment_path(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? fs::path() : fs::path(value);
}

void add_nvrtc_files(const fs::path& place, std::vector<fs::path>& files) {
  std::error_code ignored;
  if (!fs::is_directory(place, ignored)) {
    files.push_back(place);
    return;
  }
  for (const char* folder : kNvrtcFolders) {
    for (const char* file : kNvrtcFiles) {
      const fs::path candidate = place / folder / file;
      if (fs::exists(candidate, ignored)) files.push_back(candidate);
    }
  }
}

std::vector<fs::path> nvrtc_candidates(const fs::path& named) {
  std::vector<fs::path> files;
  if (!named.empty()) {
    add_nvrtc_files(named, files);
    return files;
  }
  for (const char* variable : {"CUDA_HOME", "CUDA_PATH"}) {
    const fs::path root = environment_path(variable);
    if (!root.empty()) add_nvrtc_files(root, files);
  }
  files.insert(files.end(), std::begin(kNvrtcFiles), std::end(kNvrtcFiles));
  add_nvrtc_files("/usr/local/cuda", files);
  return files;
}

struct OpenLibrary {
  void* handle;
  std::string path;
};

/// The first of `files` that loads. `place` says in the error what was asked for.
Result<OpenLibrary> open_first(const std::vector<fs::path>& files, std::string_view what,
                               std::string_view place) {
  std::string tried;
  for (const fs::path& file : files) {
    // Local: the fake of a test and the real library may be loaded in one process.
    if (void* handle = ::dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL)) {
      return OpenLibrary{handle, file.string()};
    }
    const char* reason = ::dlerror();
    tried += fmt::format("\n  {}: {}", file.string(), reason == nullptr ? "unknown" : reason);
  }
  if (tried.empty()) tried = " no such file there";
  return fail(ErrorCode::kUnsupported, "{} not found ({}); tried:{}", what, place, tried);
}

template <class Function>
void bind_symbol(const OpenLibrary& library, const char* symbol, Function*& target,
                 std::string* missing) {
  target = reinterpret_cast<Function*>(::dlsym(library.handle, symbol));
  if (target == nullptr && missing != nullptr) {
    *missing += (missing->empty() ? "" : ", ") + std::string(symbol);
  }
}

/// "the argument", or the environment variable that names the library, or "the usual places".
std::string place_of(const fs::path& argument, const char* variable, const fs::path& named,
                     std::string_view usual) {
  if (!argument.empty()) return argument.string();
  if (!named.empty()) return fmt::format("{}={}", variable, named.string());
  return fmt::format("{}; {} names another", usual, variable);
}

struct CodeRow {
  int result;
  ErrorCode code;
};

constexpr CodeRow kDriverCodes[] = {
    {1, ErrorCode::kInvalidArgument},                                    // CUDA_ERROR_INVALID_VALUE
    {2, ErrorCode::kOutOfMemory},       {34, ErrorCode::kUnsupported},   // STUB_LIBRARY
    {100, ErrorCode::kUnsupported},                                      // NO_DEVICE
    {101, ErrorCode::kInvalidArgument},                                  // INVALID_DEVICE
    {200, ErrorCode::kCorruptData},                                      // INVALID_IMAGE
    {209, ErrorCode::kUnsupported},                                      // NO_BINARY_FOR_GPU
    {218, ErrorCode::kInvalidArgument},                                  // INVALID_PTX
    {222, ErrorCode::kUnsupported},                                      // UNSUPPORTED_PTX_VERSION
    {500, ErrorCode::kNotFound},        {801, ErrorCode::kUnsupported},  // NOT_SUPPORTED
    {803, ErrorCode::kUnsupported},                                      // SYSTEM_DRIVER_MISMATCH
    {804, ErrorCode::kUnsupported},  // COMPAT_NOT_SUPPORTED_ON_DEVICE
};

constexpr CodeRow kNvrtcCodes[] = {
    {1, ErrorCode::kOutOfMemory},
    {3, ErrorCode::kInvalidArgument},  // INVALID_INPUT
    {5, ErrorCode::kUnsupported},      // INVALID_OPTION: of this compiler's version
    {6, ErrorCode::kInvalidArgument},  // COMPILATION
};

template <size_t N>
ErrorCode code_of(const CodeRow (&rows)[N], int result) {
  for (const CodeRow& row : rows) {
    if (row.result == result) return row.code;
  }
  return ErrorCode::kDeviceError;
}

}  // namespace

Result<DriverApi> load_driver(const fs::path& library) {
  const fs::path named = library.empty() ? environment_path("ANYBIT_CUDA_DRIVER") : library;
  std::vector<fs::path> files{named};
  if (named.empty()) files.assign(std::begin(kDriverFiles), std::end(kDriverFiles));
  ANYBIT_ASSIGN(const OpenLibrary opened,
                open_first(files, "the CUDA driver",
                           place_of(library, "ANYBIT_CUDA_DRIVER", named, "its usual places")));
  DriverApi api;
  api.path = opened.path;
  std::string missing;
#define ANYBIT_ENTRY(member, symbol, parameters) bind_symbol(opened, #symbol, api.member, &missing);
#define ANYBIT_OPTIONAL_ENTRY(member, symbol, parameters) \
  bind_symbol(opened, #symbol, api.member, nullptr);
#include "anybit/vm/backend/cuda/runtime/driver_entry_points.def"
#undef ANYBIT_OPTIONAL_ENTRY
#undef ANYBIT_ENTRY
  if (!missing.empty()) {
    return fail(ErrorCode::kUnsupported,
                "{}: expected a CUDA driver of version 12.0 or later; it lacks {}", opened.path,
                missing);
  }
  return api;
}

Result<NvrtcApi> load_nvrtc(const fs::path& library) {
  const fs::path named = library.empty() ? environment_path("ANYBIT_NVRTC") : library;
  ANYBIT_ASSIGN(const OpenLibrary opened,
                open_first(nvrtc_candidates(named), "NVRTC, CUDA's run-time compiler,",
                           place_of(library, "ANYBIT_NVRTC", named,
                                    "CUDA_HOME, CUDA_PATH, the loader's search, /usr/local/cuda")));
  NvrtcApi api;
  api.path = opened.path;
  std::string missing;
  bind_symbol(opened, "nvrtcGetErrorString", api.get_error_string, &missing);
#define ANYBIT_ENTRY(member, symbol, parameters) bind_symbol(opened, #symbol, api.member, &missing);
#include "anybit/vm/backend/cuda/runtime/nvrtc_entry_points.def"
#undef ANYBIT_ENTRY
  if (!missing.empty()) {
    return fail(ErrorCode::kUnsupported, "{}: expected NVRTC of version 12.0 or later; it lacks {}",
                opened.path, missing);
  }
  return api;
}

Error driver_error(const DriverApi& api, DriverResult result, std::string_view operation) {
  ANYBIT_CHECK(result != 0);
  const char* name = nullptr;
  const char* text = nullptr;
  if (api.get_error_name(result, &name) != 0 || name == nullptr) name = "unknown CUDA error";
  if (api.get_error_string(result, &text) != 0 || text == nullptr) text = "no description";
  return {code_of(kDriverCodes, result),
          fmt::format("{}: {} ({}): {}", operation, name, result, text)};
}

Status check_driver(const DriverApi& api, DriverResult result, std::string_view operation) {
  if (result == 0) return {};
  return tl::make_unexpected(driver_error(api, result, operation));
}

Error nvrtc_error(const NvrtcApi& api, NvrtcResult result, std::string_view operation) {
  ANYBIT_CHECK(result != 0);
  const char* name = api.get_error_string(result);
  return {code_of(kNvrtcCodes, result),
          fmt::format("{}: {} ({})", operation, name == nullptr ? "unknown error" : name, result)};
}

}  // namespace anybit::vm::cuda
