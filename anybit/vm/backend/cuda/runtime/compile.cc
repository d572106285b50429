#include "anybit/vm/backend/cuda/runtime/compile.h"

#include <algorithm>
#include <chrono>
#include <optional>

#include "anybit/vm/backend/cuda/runtime/internal/compile_log.h"

namespace anybit::vm::cuda {
namespace {

bool is_identifier(std::string_view text) {
  const auto letter = [](char c) {
    return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  };
  return !text.empty() && letter(text[0]) && std::all_of(text.begin(), text.end(), [&](char c) {
    return letter(c) || (c >= '0' && c <= '9');
  });
}

bool has_nul(std::string_view text) { return text.find('\0') != std::string_view::npos; }

/// The number of "sm_90a", or nothing.
std::optional<int> architecture_number(std::string_view arch) {
  constexpr std::string_view kPrefix = "sm_";
  if (!arch.starts_with(kPrefix)) return std::nullopt;
  arch.remove_prefix(kPrefix.size());
  if (arch.ends_with('a') || arch.ends_with('f')) arch.remove_suffix(1);
  constexpr size_t kMaxDigits = 4;
  if (arch.empty() || arch.size() > kMaxDigits) return std::nullopt;
  int number = 0;
  for (const char c : arch) {
    if (c < '0' || c > '9') return std::nullopt;
    number = number * 10 + (c - '0');
  }
  return number;
}

Status validate(std::string_view source, const CompileOptions& options) {
  if (has_nul(source) || has_nul(options.source_name)) {
    return fail(ErrorCode::kInvalidArgument, "{}: a NUL character in the source or its name",
                options.source_name.c_str());
  }
  for (const std::string& define : options.defines) {
    if (!is_identifier(define.substr(0, define.find('='))) || has_nul(define)) {
      return fail(ErrorCode::kInvalidArgument, "define '{}': expected NAME or NAME=VALUE", define);
    }
  }
  for (size_t i = 0; i < options.includes.size(); ++i) {
    const IncludeText& include = options.includes[i];
    if (include.name.empty() || has_nul(include.name) || has_nul(include.text)) {
      return fail(ErrorCode::kInvalidArgument,
                  "include {} ('{}'): expected a name, and no NUL characters", i,
                  include.name.c_str());
    }
    for (size_t j = 0; j < i; ++j) {
      if (options.includes[j].name == include.name) {
        return fail(ErrorCode::kInvalidArgument, "include '{}' is given twice", include.name);
      }
    }
  }
  return {};
}

/// An NVRTC program; destroyed with the object.
class Program {
 public:
  static Result<Program> create(const NvrtcApi& api, std::string_view source,
                                const CompileOptions& options) {
    std::vector<const char*> names;
    std::vector<const char*> texts;
    for (const IncludeText& include : options.includes) {
      names.push_back(include.name.c_str());
      texts.push_back(include.text.c_str());
    }
    Program program(api);
    const NvrtcResult result = api.create_program(
        &program.handle_, std::string(source).c_str(), options.source_name.c_str(),
        static_cast<int>(names.size()), texts.data(), names.data());
    if (result != 0) {
      return tl::make_unexpected(nvrtc_error(api, result, "creating an NVRTC program"));
    }
    return program;
  }
  Program(Program&& other) noexcept
      : api_(other.api_), handle_(std::exchange(other.handle_, nullptr)) {}
  Program& operator=(Program&&) = delete;
  ~Program() {
    if (handle_ != nullptr) api_->destroy_program(&handle_);
  }

  NvrtcResult compile(const std::vector<std::string>& options) {
    std::vector<const char*> pointers;
    for (const std::string& option : options) pointers.push_back(option.c_str());
    return api_->compile_program(handle_, static_cast<int>(pointers.size()), pointers.data());
  }

  using SizeFunction = NvrtcResult (*NvrtcApi::*)(NvrtcProgramHandle, size_t*);
  using BytesFunction = NvrtcResult (*NvrtcApi::*)(NvrtcProgramHandle, char*);

  /// One of the program's outputs: its size, then its bytes.
  Result<std::string> output(SizeFunction size_of, BytesFunction bytes_of,
                             std::string_view what) const {
    size_t size = 0;
    NvrtcResult result = (api_->*size_of)(handle_, &size);
    std::string bytes(result == 0 ? size : 0, '\0');
    if (result == 0 && size > 0) result = (api_->*bytes_of)(handle_, bytes.data());
    if (result != 0) {
      return tl::make_unexpected(
          nvrtc_error(*api_, result, fmt::format("reading NVRTC's {}", what)));
    }
    return bytes;
  }

  /// A text output, without its final NUL and blank ends.
  Result<std::string> text(SizeFunction size_of, BytesFunction bytes_of,
                           std::string_view what) const {
    ANYBIT_ASSIGN(std::string text, output(size_of, bytes_of, what));
    text.resize(text.find_last_not_of(std::string_view("\0\n ", 3)) + 1);
    return text;
  }

  Result<std::string> log() const {
    return text(&NvrtcApi::get_program_log_size, &NvrtcApi::get_program_log, "log");
  }

 private:
  explicit Program(const NvrtcApi& api) : api_(&api) {}

  const NvrtcApi* api_;
  NvrtcProgramHandle handle_ = nullptr;
};

/// The PTX that the assembler refused: compiled again, this time only so far. Empty if even that
/// fails; then the log stands alone.
std::string ptx_of(const NvrtcApi& api, std::string_view source, const CompileOptions& options) {
  auto program = Program::create(api, source, options);
  if (!program) return {};
  std::vector<std::string> flags = nvrtc_options(options);
  flags[0] = "--gpu-architecture=compute_" + options.arch.substr(std::string_view("sm_").size());
  std::erase_if(flags, [](const std::string& flag) { return flag.starts_with("--ptxas"); });
  if (program->compile(flags) != 0) return {};
  return program->text(&NvrtcApi::get_ptx_size, &NvrtcApi::get_ptx, "PTX").value_or(std::string());
}

/// The log, then the lines around each place it names.
Error compile_failure(const NvrtcApi& api, NvrtcResult result, const std::string& log,
                      std::string_view source, const CompileOptions& options) {
  Error error = nvrtc_error(api, result,
                            fmt::format("compiling {} for {}", options.source_name, options.arch));
  if (!log.empty()) error.message += "\n" + log;
  std::vector<internal::NamedText> texts{{options.source_name, source}};
  for (const IncludeText& include : options.includes) texts.push_back({include.name, include.text});
  std::string ptx;
  if (internal::names_ptx(log)) {
    ptx = ptx_of(api, source, options);
    texts.push_back({std::string(internal::kPtxName), ptx});
  }
  error.message += internal::excerpts(log, texts);
  return error;
}

}  // namespace

std::vector<std::string> nvrtc_options(const CompileOptions& options) {
  std::vector<std::string> flags{"--gpu-architecture=" + options.arch, "--std=c++17",
                                 options.fmad ? "--fmad=true" : "--fmad=false", "-default-device",
                                 "--ptxas-options=-v"};
  if (options.line_info) flags.emplace_back("-lineinfo");
  for (const std::string& define : options.defines) flags.push_back("--define-macro=" + define);
  return flags;
}

Result<Compiler> Compiler::load(const std::filesystem::path& library) {
  Compiler compiler;
  ANYBIT_ASSIGN(compiler.api_, load_nvrtc(library));
  const NvrtcApi& api = compiler.api_;
  int major = 0;
  int minor = 0;
  int count = 0;
  NvrtcResult result = api.version(&major, &minor);
  if (result == 0) result = api.get_num_supported_archs(&count);
  if (result == 0) {
    compiler.architectures_.resize(static_cast<size_t>(std::max(count, 0)));
    result = api.get_supported_archs(compiler.architectures_.data());
  }
  if (result != 0) {
    return tl::make_unexpected(
        nvrtc_error(api, result, fmt::format("asking {} for its version", api.path)));
  }
  std::sort(compiler.architectures_.begin(), compiler.architectures_.end());
  compiler.version_ = fmt::format("{}.{}", major, minor);
  return compiler;
}

Result<Cubin> Compiler::compile(std::string_view source, const CompileOptions& options) const {
  ANYBIT_TRY(validate(source, options));
  const std::optional<int> number = architecture_number(options.arch);
  if (!number) {
    return fail(ErrorCode::kInvalidArgument, "architecture '{}': expected sm_<number>[a|f]",
                options.arch);
  }
  if (std::find(architectures_.begin(), architectures_.end(), *number) == architectures_.end()) {
    std::string known;
    for (const int known_number : architectures_) known += fmt::format(" sm_{}", known_number);
    return fail(ErrorCode::kUnsupported, "NVRTC {} ({}) does not compile for {}; it knows{}",
                version_, api_.path, options.arch, known);
  }
  const auto start = std::chrono::steady_clock::now();
  ANYBIT_ASSIGN(Program program, Program::create(api_, source, options));
  const NvrtcResult result = program.compile(nvrtc_options(options));
  ANYBIT_ASSIGN(std::string log, program.log());
  if (result != 0) {
    return tl::make_unexpected(compile_failure(api_, result, log, source, options));
  }
  ANYBIT_ASSIGN(const std::string bytes,
                program.output(&NvrtcApi::get_cubin_size, &NvrtcApi::get_cubin, "cubin"));
  Cubin cubin;
  cubin.arch = options.arch;
  const auto view = std::as_bytes(std::span(bytes));
  cubin.bytes.assign(view.begin(), view.end());
  cubin.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  cubin.kernels = parse_kernel_resources(log);
  cubin.log = std::move(log);
  return cubin;
}

Result<Cubin> compile_cuda(std::string_view source, const CompileOptions& options) {
  ANYBIT_ASSIGN(const Compiler compiler, Compiler::load());
  return compiler.compile(source, options);
}

}  // namespace anybit::vm::cuda
