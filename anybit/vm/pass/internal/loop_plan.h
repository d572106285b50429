// What of a marked loop can be pipelined: found by looking, before anything is changed.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "anybit/base/result.h"
#include "anybit/vm/ir/program.h"

namespace anybit::vm::pipelining {

/// A shared tile that gets stages.
struct StagedTile {
  ValueId tile = kNoValue;  // The alloc_shared; kNoValue: of a load_global, which has none yet.
  numeric::ElementFormat element = numeric::kF32;
  std::vector<int64_t> shape;
  std::string name;
};

/// A copy into a stage. Positions are those of statements in the loop's body.
struct StagedCopy {
  size_t position = 0;             // Of the copy_async or load_global.
  size_t tile = 0;                 // Index of the StagedTile.
  std::vector<Instruction> views;  // From the tile to the part that is filled.
  ValueId result = kNoValue;       // Of a load: what is read from the stage at its place.
};

/// A load that is kept in registers until its iteration.
struct HeldLoad {
  size_t position = 0;
  int64_t distance = 1;  // Iterations ahead.
};

struct LoopPlan {
  int64_t num_stages = 0;
  std::vector<StagedTile> staged;
  std::vector<StagedCopy> copies;
  std::vector<HeldLoad> held;
  std::vector<size_t> dropped;             // Commits, the wait, and what only served them.
  std::vector<Instruction> outside_views;  // Of staged tiles, defined before the loop.
  bool syncs_before = false;               // A sync stands before the loop,
  bool syncs_after = false;                // and one after it.
  bool frees_stages = false;               // The bytes may be used again after the loop.
  bool is_wide = false;                    // Comparisons with the end need 64 bits.
  std::vector<std::string> notes;          // What was left as it is, and why.
};

/// A marked loop, and where it stands.
struct LoopSite {
  const Program& program;
  const Statement& loop;
  int64_t num_threads = 0;
  bool is_nested = false;  // In another loop.
};

/// Errors: kUnsupported with the reason why the loop stays as it is.
Result<LoopPlan> plan_loop(const LoopSite& site);

/// `expr` with the lets of `body` before `position` replaced by their values.
Expr expanded(const Expr& expr, const Block& body, size_t position);

/// Calls visit(expr) for every scalar expression of an instruction's attributes.
template <class InstructionType, class Visit>
void for_each_attribute_expr(InstructionType& instruction, Visit&& visit) {
  for (auto& attribute : instruction.attributes) {
    if (auto* expr = std::get_if<Expr>(&attribute)) visit(*expr);
    if (auto* exprs = std::get_if<std::vector<Expr>>(&attribute)) {
      for (auto& expr : *exprs) visit(expr);
    }
  }
}

/// slice_shared, reshape_shared, permute_shared.
bool is_shared_view(Opcode opcode);

}  // namespace anybit::vm::pipelining
