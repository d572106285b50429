// Running a program on any backend with memory of the host: what the command line and the tests
// use. Kernels that live on a device are launched by cuda/program.h.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string_view>

#include "anybit/base/result.h"
#include "anybit/vm/backend/cuda/emit/emit.h"
#include "anybit/vm/backend/emulated/emulator.h"
#include "anybit/vm/backend/reference/reference.h"
#include "anybit/vm/ir/program.h"

namespace anybit::vm {

enum class Backend : uint8_t {
  kReference,  // The interpreter: the meaning of a program.
  kEmulated,   // The emitted CUDA text, compiled by the host compiler.
  kCuda,       // The emitted CUDA text on GPU 0.
};

struct BackendInfo {
  Backend backend;
  std::string_view name;
  std::string_view summary;
};
std::span<const BackendInfo> backends();
std::optional<Backend> find_backend(std::string_view name);

struct RunOptions {
  std::function<void(std::string_view)> print = nullptr;  // Lines of `print`; not from a GPU.
  int architecture = 90;                                  // kEmulated: what is emitted for.
};

/// Lowers and runs `program`; memory arguments are read and written in place.
/// Pre: verify(program, kBeforeLayouts) passes.
/// Errors: those of lower() and of the backend; kUnsupported where the backend cannot run here.
Status run_program(Backend backend, const Program& program,
                   std::span<const LaunchArgument> arguments, const RunOptions& options = {});

/// Runs the emitted kernel of `program`, compiled for the host, on its grid.
/// Pre: the arguments are those of the program's parameters.
/// Errors: as EmulatedKernel::launch(), and of a grid that is not positive.
Status launch_emulated(const EmulatedKernel& kernel, const cuda::EmittedKernel& emitted,
                       const Program& program, std::span<const LaunchArgument> arguments,
                       std::string* printed = nullptr);

}  // namespace anybit::vm
