// From CUDA C++ text to a cubin, through NVRTC: no device needed. Keeping cubins: cubin_cache.h;
// running them: module.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "anybit/base/result.h"
#include "anybit/vm/backend/cuda/runtime/library.h"

namespace anybit::vm::cuda {

/// A header that the source may include by this name. NVRTC reads no files.
struct IncludeText {
  std::string name;
  std::string text;
};

/// What, besides the source, decides the cubin.
struct CompileOptions {
  std::string arch = "sm_90a";  // "sm_" number and, where the compiler has it, "a" or "f".
  std::string source_name = "kernel.cu";  // In messages, and in line information.
  std::vector<IncludeText> includes;
  std::vector<std::string> defines;  // "NAME" or "NAME=VALUE".
  bool fmad = false;                 // Let the compiler contract a * b + c.
  bool line_info = false;            // For profilers; the code is the same.
};

/// What one kernel uses, as the assembler reported it.
struct KernelResources {
  std::string name;  // As in the cubin: mangled unless extern "C".
  int registers = 0;
  int barriers = 0;
  int64_t stack_bytes = 0;
  int64_t spill_store_bytes = 0;
  int64_t spill_load_bytes = 0;
  int64_t shared_bytes = 0;    // Static.
  int64_t constant_bytes = 0;  // Of all banks, parameters included where the assembler counts them.
};

/// A compiled program.
struct Cubin {
  std::string arch;
  std::vector<std::byte> bytes;
  std::string log;     // NVRTC's, with the assembler's report.
  double seconds = 0;  // Compilation took.
  std::vector<KernelResources> kernels;
};

/// NVRTC, loaded. Copies share the library. May be used by several threads.
class Compiler {
 public:
  /// As load_nvrtc(). Errors: kUnsupported.
  static Result<Compiler> load(const std::filesystem::path& library = {});

  /// "13.0"
  const std::string& version() const { return version_; }
  const std::string& path() const { return api_.path; }

  /// The numbers of the architectures NVRTC compiles for, ascending: {75, 80, 90, 100}.
  std::span<const int> architectures() const { return architectures_; }

  /// Compiles for one architecture, as C++17, with every function a device function unless it says
  /// otherwise. The same input gives the same bytes.
  /// Post: `kernels` holds every kernel of `source`, in the assembler's order.
  /// Errors: kInvalidArgument with NVRTC's log and the lines around each error if the source does
  /// not compile (the lines of PTX if the assembler refuses it), or if a name in `options` is
  /// malformed; kUnsupported if this NVRTC does not know the architecture, naming those it does.
  Result<Cubin> compile(std::string_view source, const CompileOptions& options) const;

 private:
  NvrtcApi api_;
  std::string version_;
  std::vector<int> architectures_;
};

/// Loads the compiler and compiles. Errors: as Compiler::load() and Compiler::compile().
Result<Cubin> compile_cuda(std::string_view source, const CompileOptions& options = {});

/// The options NVRTC is given, in order. They decide the cubin together with the source, the
/// includes and NVRTC's version.
std::vector<std::string> nvrtc_options(const CompileOptions& options);

/// Reads the assembler's report (ptxas -v) in `log`; other lines are skipped.
std::vector<KernelResources> parse_kernel_resources(std::string_view log);

}  // namespace anybit::vm::cuda
