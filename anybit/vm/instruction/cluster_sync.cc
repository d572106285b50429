#include "anybit/vm/instruction/internal/rules.h"

namespace anybit::vm {
namespace {

Result<std::optional<TensorType>> infer_type(const InstructionView& view) {
  if (!view.program.cluster.empty()) return rules::no_result();
  return fail(ErrorCode::kInvalidArgument, "the kernel has no clusters");
}

}  // namespace

const InstructionInfo& cluster_sync_instruction() {
  static const InstructionInfo kInfo = {
      .name = "cluster_sync",
      .summary = "A barrier of all threads of the cluster.",
      .details =
          "Every thread waits for those of all CTAs of its cluster. The reference backend and the "
          "emulation run one CTA after another, for which it is a `sync`: a CTA that waits there "
          "sees nothing of the later ones. Compute capability 9.0 and later.",
      .example = "cluster_sync()",
      .effects = kBarrier | kOther,
      .infer_type = infer_type};
  return kInfo;
}

}  // namespace anybit::vm
