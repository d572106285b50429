// The CUDA backend: turns a program into CUDA C++ text that calls only the device header
// (backend/cuda/device). What the text means does not depend on whether a GPU compiles it or the
// emulation does.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "anybit/base/result.h"
#include "anybit/vm/pass/pipeline.h"

namespace anybit::vm::cuda {

struct EmitOptions {
  int architecture = 90;  // Compute capability times ten: 80, 86, 89, 90, 100.
};

/// A kernel as text, and how it is launched.
struct EmittedKernel {
  std::string name;
  std::string source;  // #include "device.h", device functions, one extern "C" kernel.
  int threads_per_cta = 0;
  int64_t shared_bytes = 0;  // Dynamic shared memory.
  std::vector<ScalarType> parameters;
  std::vector<Expr> grid;          // Of parameters.
  std::vector<std::string> notes;  // "line 9: dot runs by fma in the threads: ..."
};

/// Writes `lowered` as text, as its passes decided.
/// Pre: lowered.code is there (LoweringOptions::wants_code).
/// Errors: kUnsupported, naming the instruction and why it cannot be carried out: an access that
/// cannot be proved whole bytes, more shared memory than a CTA has.
Result<EmittedKernel> emit_cuda(const LoweredProgram& lowered, const EmitOptions& options = {});

}  // namespace anybit::vm::cuda
