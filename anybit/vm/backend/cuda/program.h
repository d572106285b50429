// A program on a GPU: lowered, emitted, compiled (or found in the cache), loaded and launched.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "anybit/base/result.h"
#include "anybit/vm/backend/cuda/emit/emit.h"
#include "anybit/vm/backend/cuda/runtime/compile.h"
#include "anybit/vm/backend/cuda/runtime/cubin_cache.h"
#include "anybit/vm/backend/cuda/runtime/device.h"
#include "anybit/vm/backend/cuda/runtime/module.h"
#include "anybit/vm/backend/cuda/runtime/stream.h"
#include "anybit/vm/ir/program.h"

namespace anybit::vm::cuda {

/// The whole text that a compiler gets: the device header, what of wgmma the kernel calls, the
/// kernel.
std::string compiler_input(const EmittedKernel& kernel);

/// Compiles emitted text for "sm_90a" and the like, or takes it from `cache` (null: no cache).
/// Errors: those of Compiler::compile.
Result<Cubin> compile_kernel(const Compiler& compiler, const EmittedKernel& kernel,
                             const std::string& arch, const CubinCache* cache);

/// The number of emit options for an architecture name: "sm_90a" is 90.
int architecture_number(const std::string& arch);

/// Values of the launch: a scalar of each parameter in order; pointers as device addresses.
struct CudaArgument {
  ScalarType type = ScalarType::kPointer;
  int64_t integer = 0;  // Also an address.
  float real = 0;
  static CudaArgument pointer(uint64_t address) {
    return {ScalarType::kPointer, static_cast<int64_t>(address), 0};
  }
  static CudaArgument i32(int64_t value) { return {ScalarType::kI32, value, 0}; }
  static CudaArgument i64(int64_t value) { return {ScalarType::kI64, value, 0}; }
  static CudaArgument f32(float value) { return {ScalarType::kF32, 0, value}; }
};

/// A loaded program.
class CudaProgram {
 public:
  /// Lowers, emits and compiles `program` for `device`.
  /// Pre: verify(program, kBeforeLayouts) passes. Errors: of every step, with the kernel's name.
  static Result<CudaProgram> load(const Device& device, const Compiler& compiler, Program program,
                                  const CubinCache* cache = nullptr);

  const EmittedKernel& emitted() const { return emitted_; }
  const Cubin& cubin() const { return cubin_; }
  const Kernel& kernel() const { return kernel_; }

  /// What kernel().launch() takes for these arguments.
  /// Errors: kInvalidArgument if their number or types are not the parameters', if a pointer is
  /// null or no multiple of 16, an extent of the grid is not positive, or a tensor of bulk copies
  /// breaks what copy_bulk asks of it.
  struct Launch {
    LaunchShape shape;
    KernelArguments arguments;
  };
  Result<Launch> prepare(std::span<const CudaArgument> arguments) const;

  /// prepare() and Kernel::launch().
  Status launch(const Stream& stream, std::span<const CudaArgument> arguments) const;

 private:
  CudaProgram(EmittedKernel emitted, std::vector<VariableId> parameters, Cubin cubin, Module module,
              Kernel kernel)
      : emitted_(std::move(emitted)),
        parameters_(std::move(parameters)),
        cubin_(std::move(cubin)),
        module_(std::move(module)),
        kernel_(std::move(kernel)) {}

  EmittedKernel emitted_;
  std::vector<VariableId> parameters_;
  Cubin cubin_;
  Module module_;
  Kernel kernel_;
};

}  // namespace anybit::vm::cuda
