// The CUDA backend: turns a program into CUDA C++ text that calls only the device header
// (backend/cuda/device). What the text means does not depend on whether a GPU compiles it or the
// emulation does.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "anybit/base/result.h"
#include "anybit/vm/pass/pipeline.h"

namespace anybit::vm::cuda {

struct EmitOptions {
  int architecture = 90;  // Compute capability times ten: 80, 86, 89, 90, 100.
};

/// A tensor map that a kernel takes after its parameters, and what it describes: a tensor with
/// `element_bits` an element, whose expressions name parameters only, and the box that is copied at
/// a time under the TMA's swizzle of `span_bytes` (0: none).
/// Shapes: extents, strides (in elements; the last is 1), box: [rank], the outermost first.
struct TensorMapParameter {
  Expr pointer;
  std::vector<Expr> extents = {};
  std::vector<Expr> strides = {};
  int element_bits = 8;
  std::vector<int64_t> box = {};
  int span_bytes = 0;
};

/// The values of one at a launch; `address` as ScalarValue::integer has it.
struct TensorMapValues {
  int64_t address = 0;
  std::vector<int64_t> extents = {};
  std::vector<int64_t> stride_bytes = {};  // The last is the element's.
};

/// Evaluates the expressions. Errors: kInvalidArgument: arithmetic; extents outside 1 to 2^32;
/// strides before the last that are no positive multiple of 16 bytes below 2^40.
Result<TensorMapValues> evaluate_tensor_map(const TensorMapParameter& map,
                                            const std::function<ScalarValue(VariableId)>& lookup);

/// A kernel as text, and how it is launched.
struct EmittedKernel {
  std::string name;
  std::string source;  // #include "device.h", device functions, one extern "C" kernel.
  int threads_per_cta = 0;
  int64_t shared_bytes = 0;                // Dynamic shared memory.
  std::array<int, 3> cluster = {1, 1, 1};  // CTAs; they divide the grid.
  std::vector<ScalarType> parameters;
  std::vector<Expr> grid;                       // Of parameters.
  std::vector<TensorMapParameter> tensor_maps;  // In the order of the kernel's last parameters.
  std::vector<std::string> notes;               // "line 9: dot runs by fma in the threads: ..."
};

/// Writes `lowered` as text, as its passes decided.
/// Pre: lowered.code is there (LoweringOptions::wants_code).
/// Errors: kUnsupported, naming the instruction and why it cannot be carried out: an access that
/// cannot be proved whole bytes, more shared memory than a CTA has.
Result<EmittedKernel> emit_cuda(const LoweredProgram& lowered, const EmitOptions& options = {});

}  // namespace anybit::vm::cuda
