// The verifier: everything backends rely on, checked in one place. It runs after parsing and
// building, and in tests after every pass.
#pragma once

#include "anybit/base/result.h"
#include "anybit/vm/ir/program.h"

namespace anybit::vm {

enum class VerifyStage : uint8_t {
  kBeforeLayouts,  // Layouts may be absent.
  kWithLayouts,  // Every register tile has a layout, and operands the one their instruction needs.
};

/// Checks the numbers, kinds and memory of the operands and attributes of `instruction`, and whether
/// it has a result as its row says: what infer_type relies on. Pre: its ids are the program's.
/// Errors: kInvalidArgument.
Status check_signature(const Program& program, const Instruction& instruction);

/// Checks that names are unique and defined before use and in scope; that every tile is defined
/// once and its type is what its instruction says; operators, conditions, bounds and `set` have
/// fitting types; `break` stands in a loop; every thread reaches each barrier; shared tiles are
/// freed at most once, in the block that allocated them, and not used afterwards; and with layouts,
/// that threads and shapes agree and each instruction can be carried out. Errors: kInvalidArgument:
/// "line 12: load_global: offset of 1 values, expected 2".
Status verify(const Program& program, VerifyStage stage);

}  // namespace anybit::vm
