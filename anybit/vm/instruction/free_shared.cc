#include "anybit/vm/instruction/internal/rules.h"

namespace anybit::vm {
namespace {

Result<std::optional<TensorType>> infer_type(const InstructionView&) { return rules::no_result(); }

}  // namespace

const InstructionInfo& free_shared_instruction() {
  static const InstructionInfo kInfo = {
      .name = "free_shared",
      .summary = "Ends the life of a shared tile, whose bytes others may then take.",
      .details =
          "The operand is the result of an `alloc_shared`, not a slice. Threads that still read it "
          "need a `sync` before whoever takes the bytes writes them.",
      .example = "free_shared(%s)",
      .operands = {{"shared", MemorySpace::kShared}},
      .effects = kOther,
      .infer_type = infer_type};
  return kInfo;
}

}  // namespace anybit::vm
