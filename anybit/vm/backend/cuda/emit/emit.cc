#include "anybit/vm/backend/cuda/emit/emit.h"

#include "anybit/base/check.h"
#include "anybit/vm/backend/cuda/emit/internal/emitter.h"

namespace anybit::vm::cuda {

Result<EmittedKernel> emit_cuda(const LoweredProgram& lowered, const EmitOptions& options) {
  ANYBIT_CHECK(lowered.code.has_value());
  return Emitter(lowered, options).run();
}

}  // namespace anybit::vm::cuda
