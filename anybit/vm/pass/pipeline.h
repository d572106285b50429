// The passes, in order: one row each. What stands between a checked program and a backend.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "anybit/base/result.h"
#include "anybit/vm/ir/program.h"
#include "anybit/vm/ir/verify.h"
#include "anybit/vm/pass/code_plan.h"
#include "anybit/vm/pass/layout_inference.h"
#include "anybit/vm/pass/remark.h"

namespace anybit::vm {

/// What passes know of the target, and what they have to say besides the program.
struct PassNotes {
  int architecture = 90;  // Compute capability times ten, of the target.
  std::vector<LayoutDecision> layouts;
  std::vector<std::pair<std::string_view, Remark>> remarks;  // With the name of the pass.
};

struct LoweredProgram {
  Program program;               // verify(program, kWithLayouts) passes.
  std::optional<CodePlan> code;  // If it was asked for.
  PassNotes notes;
};

struct PassInfo {
  std::string_view name;
  std::string_view summary;
  VerifyStage stage;  // What holds after it.
  bool plans_code;    // Only for backends that generate code.
  Status (*run)(LoweredProgram& lowered);
  /// What it found, for each statement of the program in program order, as comments; empty:
  /// nothing. Null: the program says it all.
  std::vector<std::string> (*comments)(const LoweredProgram& lowered) = nullptr;
};

/// Every pass, in the order in which lower() runs them.
std::span<const PassInfo> passes();

struct LoweringOptions {
  int architecture = 90;  // Compute capability times ten, of the target.
  /// Runs the passes that plan code too: emit_cuda() needs them, the reference backend does not.
  bool wants_code = false;
  /// Called after each pass, if set.
  std::function<void(const PassInfo& pass, const LoweredProgram& lowered)> after_pass = nullptr;
  bool verify_after_each = false;
};

/// Runs the passes. Pre: verify(program, kBeforeLayouts) passes.
/// Errors: those of the passes, with the pass named.
Result<LoweredProgram> lower(Program program, const LoweringOptions& options = {});

/// The program after `pass`, with what the pass found as comments.
std::string print_after(const PassInfo& pass, const LoweredProgram& lowered);

}  // namespace anybit::vm
