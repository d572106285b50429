#include "anybit/vm/backend/cuda/emit/emit.h"

#include <algorithm>

#include "anybit/base/check.h"
#include "anybit/vm/backend/cuda/emit/internal/emitter.h"

namespace anybit::vm::cuda {

Result<EmittedKernel> emit_cuda(const LoweredProgram& lowered, const EmitOptions& options) {
  ANYBIT_CHECK(lowered.code.has_value());
  Emitter emitter(lowered, options);
  ANYBIT_ASSIGN(EmittedKernel kernel, emitter.run());
  // Groups of threads have scratch areas of their own, whose places follow from their sizes.
  const std::vector<int64_t>& sizes = emitter.scratch_bytes();
  if (std::ranges::count_if(sizes, [](int64_t size) { return size > 0; }) < 2) return kernel;
  return Emitter(lowered, options, sizes).run();
}

Result<TensorMapValues> evaluate_tensor_map(const TensorMapParameter& map,
                                            const std::function<ScalarValue(VariableId)>& lookup) {
  constexpr int64_t kMaxExtent = int64_t{1} << 32, kMaxStride = int64_t{1} << 40, kMultiple = 16;
  TensorMapValues values;
  ANYBIT_ASSIGN(const ScalarValue pointer, evaluate(map.pointer, lookup));
  values.address = pointer.integer;
  for (size_t d = 0; d < map.extents.size(); ++d) {
    ANYBIT_ASSIGN(const ScalarValue extent, evaluate(map.extents[d], lookup));
    ANYBIT_ASSIGN(const ScalarValue stride, evaluate(map.strides[d], lookup));
    if (extent.integer < 1 || extent.integer > kMaxExtent) {
      return fail(ErrorCode::kInvalidArgument,
                  "a tensor of bulk copies has extent {} in dimension {}, expected 1 to 2^32",
                  extent.integer, d);
    }
    const __int128 bytes = static_cast<__int128>(stride.integer) * map.element_bits / 8;
    const bool is_last = d + 1 == map.extents.size();
    if (!is_last && (bytes <= 0 || bytes >= kMaxStride || bytes % kMultiple != 0)) {
      return fail(ErrorCode::kInvalidArgument,
                  "a tensor of bulk copies has a stride of {} elements of {} bits in dimension {}, "
                  "expected a multiple of {} bytes",
                  stride.integer, map.element_bits, d, kMultiple);
    }
    values.extents.push_back(extent.integer);
    values.stride_bytes.push_back(static_cast<int64_t>(bytes));
  }
  return values;
}

}  // namespace anybit::vm::cuda
