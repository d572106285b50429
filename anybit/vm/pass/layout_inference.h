// Layout inference: gives every register tile a layout; then convert_layout is inserted where an
// operand is not held as its instruction needs it.
#pragma once

#include <string>
#include <vector>

#include "anybit/base/result.h"
#include "anybit/vm/ir/program.h"

namespace anybit::vm {

/// Why a tile has its layout: what `anybit vm opt --explain` prints.
struct LayoutDecision {
  ValueId value = kNoValue;
  std::string rule;         // "annotated", or the rule of the instruction table.
  std::string instruction;  // The instruction whose rule it was.
  int line = 0;             // Of that instruction; 0: built.
};

struct LayoutInference {
  Program program;
  std::vector<LayoutDecision> decisions;  // In the order they were taken.
};

/// Annotated layouts stay. Then, as long as a tile has none, the first rule that applies is taken:
/// by RulePriority, within one in program order; so the outcome depends on the program alone.
/// Post: every register tile has a layout.
/// Errors: kInvalidArgument if a tile gets none.
Result<LayoutInference> infer_layouts(Program program);

/// Inserts convert_layout before each instruction for operands that are held otherwise than its row
/// requires. Pre: every register tile has a layout. Post: verify(program, kWithLayouts) passes.
/// Errors: kInvalidArgument if layouts cannot be carried out.
Result<Program> insert_conversions(Program program);

}  // namespace anybit::vm
