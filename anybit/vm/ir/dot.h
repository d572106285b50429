// How a dot instruction is carried out: by which tensor-core step, or by fma in the threads.
#pragma once

#include "anybit/vm/ir/instruction_info.h"
#include "anybit/vm/ir/mma_atom.h"

namespace anybit::vm {

/// Attributes of dot, and what `unit` may be: any (the default), wgmma (pass/select_wgmma.h).
enum : size_t { kDotPrecision, kDotUnit };
enum : int64_t { kUnitAny, kUnitWgmma };

struct DotPlan {
  const MmaAtom* atom = nullptr;  // Null: fma in the threads.
  DotLayouts layouts;
};

/// The plan of the dot in `view` under a result of layout `c`.
/// Errors: kInvalidArgument if the layouts of the operands would be too large.
Result<DotPlan> plan_dot(const InstructionView& view, const layout::RegisterLayout& c);

/// The accumulator layout that inference takes for a dot on tensor cores; nothing: they cannot.
std::optional<layout::RegisterLayout> default_accumulator(const InstructionView& view);

}  // namespace anybit::vm
