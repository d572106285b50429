#include "anybit/vm/instruction/internal/rules.h"

namespace anybit::vm {
namespace {

enum : size_t { kShape, kArrivals };
constexpr int64_t kMaxBarriers = 1024, kMaxArrivals = 1024;

Result<std::optional<TensorType>> infer_type(const InstructionView& view) {
  const auto& shape = view.attribute<std::vector<int64_t>>(kShape);
  ANYBIT_TRY(check_tile_shape(shape));
  const TensorType type = shared_type(kBarrierElement, shape);
  if (type.num_elements() > kMaxBarriers) {
    return fail(ErrorCode::kInvalidArgument, "shape {}: {} barriers, expected at most {}",
                shape_text(shape), type.num_elements(), kMaxBarriers);
  }
  const int64_t arrivals = view.integer(kArrivals);
  if (arrivals < 1 || arrivals > kMaxArrivals) {
    return fail(ErrorCode::kInvalidArgument, "arrivals={}, expected 1 to {}", arrivals,
                kMaxArrivals);
  }
  return type;
}

}  // namespace

const InstructionInfo& alloc_barrier_instruction() {
  static const InstructionInfo kInfo = {
      .name = "alloc_barrier",
      .summary = "A tile of barriers in shared memory, each in its phase 0.",
      .details =
          "The current phase of a barrier is complete once `arrivals` arrivals have come "
          "(`barrier_arrive`: one for each warp that executes it; `barrier_expect`: one) and all "
          "bytes that they announced have been copied (`copy_bulk`); the next phase begins then. "
          "More arrivals than that in one phase, or more bytes than announced, are an error of the "
          "program. What stood before an arrival in its warp, and the bytes copied, may be used "
          "after a `barrier_wait` for the phase. Barriers are ready when the kernel begins and "
          "live to its end. Compute capability 9.0 and later.",
      .example = "%full = alloc_barrier(shape=[4], arrivals=1)",
      .attributes = {{"shape", AttributeKind::kIntegers}, {"arrivals", AttributeKind::kInteger}},
      .result = ResultKind::kAlways,
      .effects = kOther,
      .infer_type = infer_type};
  return kInfo;
}

}  // namespace anybit::vm
