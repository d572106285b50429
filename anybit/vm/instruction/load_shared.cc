#include "anybit/vm/instruction/internal/rules.h"

namespace anybit::vm {
namespace {

Result<std::optional<TensorType>> infer_type(const InstructionView& view) {
  return register_type(view.operand(0).element, view.operand(0).shape);
}

}  // namespace

const InstructionInfo& load_shared_instruction() {
  static const InstructionInfo kInfo = {
      .name = "load_shared",
      .summary = "Reads a shared tile into registers.",
      .details =
          "Shape and elements stay; `slice_shared` chooses a part. Reading what another thread "
          "wrote "
          "since the last `sync`, or what nobody wrote, is an error of the program.",
      .example = "%a = load_shared(%s)",
      .operands = {{"shared", MemorySpace::kShared}},
      .result = ResultKind::kAlways,
      .effects = kReadsShared,
      .infer_type = infer_type,
      .propose_layouts = rules::propose_default_result};
  return kInfo;
}

}  // namespace anybit::vm
