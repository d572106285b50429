#include "anybit/vm/backend/cuda/emit/emit.h"

#include "anybit/vm/backend/cuda/emit/internal/emitter.h"

namespace anybit::vm::cuda {

Result<EmittedKernel> emit_cuda(const Program& program, const EmitOptions& options) {
  ANYBIT_ASSIGN(const SharedPlan shared, plan_shared_memory(program));
  return Emitter(program, shared, options).run();
}

}  // namespace anybit::vm::cuda
