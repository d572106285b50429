// Kernels' texts compiled with the host compiler and loaded.
#include <dlfcn.h>
#include <fcntl.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cctype>
#include <cerrno>
#include <cstring>

#include "anybit/base/cpu.h"
#include "anybit/base/file.h"
#include "anybit/vm/backend/cuda/device_source.h"
#include "anybit/vm/backend/emulated/emulator.h"

extern char** environ;

namespace anybit::vm {
namespace {

namespace fs = std::filesystem;

bool is_name_character(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; }

/// The names of the kernels in the text: the identifier before the parameters, after AB_KERNEL or
/// __global__ and what may stand between (attributes with parentheses, void).
std::vector<std::string> kernel_names(std::string_view source) {
  std::vector<std::string> names;
  for (const std::string_view mark : {"AB_KERNEL", "__global__"}) {
    for (size_t at = source.find(mark); at != std::string_view::npos;
         at = source.find(mark, at + 1)) {
      size_t i = at + mark.size();
      while (i < source.size()) {
        while (i < source.size() && std::isspace(static_cast<unsigned char>(source[i]))) ++i;
        const size_t first = i;
        while (i < source.size() && is_name_character(source[i])) ++i;
        const std::string_view word = source.substr(first, i - first);
        if (word.empty()) break;
        if (word == "void") continue;
        if (!word.starts_with("AB_") && !word.starts_with("__")) {
          names.emplace_back(word);
          break;
        }
        i = source.find(')', i);  // Past the attribute's arguments.
        if (i == std::string_view::npos) break;
        ++i;
      }
    }
  }
  return names;
}

/// Two independent 64-bit FNV-1a sums, in hexadecimal.
std::string content_key(std::string_view text) {
  uint64_t a = 0xcbf29ce484222325, b = 0x84222325cbf29ce4;
  for (const char c : text) {
    a = (a ^ static_cast<unsigned char>(c)) * 0x100000001b3;
    b = (b ^ static_cast<unsigned char>(c)) * 0x9e3779b97f4a7c15;
    b ^= b >> 29;
  }
  return fmt::format("{:016x}{:016x}", a, b);
}

/// The folder for compiled kernels; the default one belongs to this user alone.
Result<fs::path> kernel_folder(const fs::path& chosen) {
  std::error_code error;
  const fs::path folder =
      chosen.empty() ? fs::temp_directory_path(error) / fmt::format("anybit-emulated-{}", getuid())
                     : chosen;
  fs::create_directories(folder, error);
  if (chosen.empty()) chmod(folder.c_str(), 0700);
  struct stat status = {};
  if (stat(folder.c_str(), &status) != 0 || !S_ISDIR(status.st_mode)) {
    return fail(ErrorCode::kIo, "cannot make the folder {}: {}", folder.string(), error.message());
  }
  if (status.st_uid != getuid() || (status.st_mode & 022) != 0) {
    return fail(ErrorCode::kIo, "the folder {} can be written by others", folder.string());
  }
  return folder;
}

/// Runs the command, its messages into a file. Errors: kUnsupported if it cannot be run.
Result<int> run_command(const std::vector<std::string>& words, const fs::path& messages) {
  std::vector<char*> arguments;
  for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 2, messages.c_str(), O_WRONLY | O_CREAT | O_TRUNC,
                                   0600);
  posix_spawn_file_actions_adddup2(&actions, 2, 1);
  pid_t process = 0;
  const int error =
      posix_spawnp(&process, arguments[0], &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) {
    return fail(ErrorCode::kUnsupported, "cannot run the compiler {}: {}", words[0],
                std::strerror(error));
  }
  int status = 0;
  while (waitpid(process, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

std::vector<std::string> compile_flags() {
  std::vector<std::string> flags = {"-std=c++20", "-O1",   "-ffp-contract=off", "-fPIC",
                                    "-shared",    "-w",    "-fno-gnu-unique",   "-fvisibility=hidden",
                                    "-fno-strict-aliasing"};
#if defined(__SANITIZE_ADDRESS__) && !defined(__clang__)
  flags.emplace_back("-fsanitize=address");
#endif
  if (CpuFeatures::host().avx2) flags.emplace_back("-mfma");
  return flags;
}

/// What stands behind the kernels: how the emulator calls each.
std::string entry_points(const std::vector<std::string>& kernels) {
  std::string text = R"(
#include <utility>
namespace ab {
template <class... Parameters, std::size_t... kIndex>
static void call_kernel(void (*kernel)(Parameters...), void** arguments,
                        std::index_sequence<kIndex...>) {
  kernel(*static_cast<Parameters*>(arguments[kIndex])...);
}
template <class... Parameters>
static void call_kernel(void (*kernel)(Parameters...), void** arguments) {
  call_kernel(kernel, arguments, std::index_sequence_for<Parameters...>());
}
}  // namespace ab
#define AB_EXPORT extern "C" __attribute__((visibility("default"))) void
AB_EXPORT ab_set_host(ab::EmulatedHost* host) { ab::host = host; }
)";
  for (const std::string& kernel : kernels) {
    text += fmt::format("AB_EXPORT ab_run_{0}(void** a) {{ ab::call_kernel(&{0}, a); }}\n", kernel);
  }
  return text;
}

/// Compiles into `library`, which appears whole or not at all.
Status compile_library(const std::string& text, const std::string& compiler,
                       const fs::path& library) {
  const std::string temporary = fmt::format("{}.{}", library.string(), getpid());
  const fs::path source = temporary + ".cc", object = temporary + ".so", log = temporary + ".log";
  ANYBIT_TRY(write_file(source, text));
  std::vector<std::string> words = compile_flags();
  words.insert(words.begin(), compiler);
  for (const std::string& word : {source.string(), std::string("-o"), object.string()}) {
    words.push_back(word);
  }
  const Result<int> exit = run_command(words, log);
  const Result<std::string> messages = read_text_file(log);
  std::error_code error;
  fs::remove(source, error);
  fs::remove(log, error);
  if (!exit) return tl::make_unexpected(exit.error());
  if (*exit != 0) {
    fs::remove(object, error);
    return fail(ErrorCode::kInvalidArgument, "{} refuses the kernel:\n{}", compiler,
                messages ? *messages : "");
  }
  fs::rename(object, library, error);
  if (error) return fail(ErrorCode::kIo, "renaming to {}: {}", library.string(), error.message());
  return {};
}

}  // namespace

Result<EmulatedKernel> compile_emulated(const std::string& source,
                                        const EmulatedCompileOptions& options) {
  const std::vector<std::string> names = kernel_names(source);
  if (names.empty()) return fail(ErrorCode::kInvalidArgument, "the text has no kernel");
  if (options.kernel_name.empty() && names.size() > 1) {
    return fail(ErrorCode::kInvalidArgument, "the text has {} kernels, and none is named",
                names.size());
  }
  const std::string name = options.kernel_name.empty() ? names[0] : options.kernel_name;
  const std::string text = fmt::format("{}#line 1 \"kernel\"\n{}\n{}", emulated_header_source(),
                                       source, entry_points(names));
  std::string key_text = options.compiler + '\n' + text;
  for (const std::string& flag : compile_flags()) key_text += flag + '\n';
  ANYBIT_ASSIGN(const fs::path folder, kernel_folder(options.folder));
  const fs::path library = folder / (content_key(key_text) + ".so");
  if (!fs::exists(library)) ANYBIT_TRY(compile_library(text, options.compiler, library));
  EmulatedKernel kernel;
  kernel.name_ = name;
  void* handle = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) {
    return fail(ErrorCode::kIo, "loading {}: {}", library.string(), dlerror());
  }
  kernel.library_ = std::shared_ptr<void>(handle, [](void* opened) { dlclose(opened); });
  kernel.set_host_ =
      reinterpret_cast<void (*)(ab::EmulatedHost*)>(dlsym(handle, "ab_set_host"));
  kernel.run_ = reinterpret_cast<void (*)(void**)>(dlsym(handle, ("ab_run_" + name).c_str()));
  if (kernel.set_host_ == nullptr || kernel.run_ == nullptr) {
    return fail(ErrorCode::kInvalidArgument, "the text has no kernel {}", name);
  }
  return kernel;
}

Status EmulatedKernel::launch(const EmulatedLaunch& launch, void** arguments) const {
  return run_emulated(launch, set_host_, [&] { run_(arguments); });
}

}  // namespace anybit::vm
