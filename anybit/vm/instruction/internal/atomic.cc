#include "anybit/vm/instruction/internal/atomic.h"

namespace anybit::vm::rules {

InstructionInfo atomic_instruction(std::string_view name, std::string_view summary,
                                   std::string_view example, MemorySpace space) {
  static const std::vector<std::string_view> kNames = operator_names(atomic_operators());
  return {.name = name,
          .summary = summary,
          .details =
              "For each element x, target[indices[x]] = op(target[indices[x]], values[x]), "
              "indivisibly; indices outside the target do nothing. The target has rank 1 and "
              "elements of int32, uint32 or f32 (f32: add and exchange only). The order of updates "
              "is not defined: sums of floats may differ from run to run. The result, if wanted, "
              "is what stood there before, 0 for indices outside.",
          .example = example,
          .operands = {{"target", space},
                       {"indices", MemorySpace::kRegister},
                       {"values", MemorySpace::kRegister}},
          .attributes = {{"op", AttributeKind::kName, false, kNames}},
          .result = ResultKind::kOptional,
          .effects = space == MemorySpace::kShared ? kReadsShared | kWritesShared
                                                   : kReadsGlobal | kWritesGlobal,
          .infer_type = infer_atomic,
          .propose_layouts = propose_atomic,
          .required_layout = require_atomic};
}

}  // namespace anybit::vm::rules
