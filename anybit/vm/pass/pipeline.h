// The passes, in order: one row each. What stands between a checked program and a backend.
#pragma once

#include <functional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "anybit/base/result.h"
#include "anybit/vm/ir/program.h"
#include "anybit/vm/ir/verify.h"
#include "anybit/vm/pass/layout_inference.h"
#include "anybit/vm/pass/remark.h"

namespace anybit::vm {

/// What passes have to say besides the program.
struct PassNotes {
  std::vector<LayoutDecision> layouts;
  std::vector<std::pair<std::string_view, Remark>> remarks;  // With the name of the pass.
};

struct PassInfo {
  std::string_view name;
  std::string_view summary;
  VerifyStage stage;  // What holds after it.
  Result<Program> (*run)(Program program, PassNotes& notes);
};

/// Every pass, in the order in which lower() runs them.
std::span<const PassInfo> passes();

struct LoweringOptions {
  /// Called after each pass, if set.
  std::function<void(const PassInfo& pass, const Program& program)> after_pass = nullptr;
  bool verify_after_each = false;
};

struct LoweredProgram {
  Program program;  // verify(program, kWithLayouts) passes.
  PassNotes notes;
};

/// Runs every pass. Pre: verify(program, kBeforeLayouts) passes.
/// Errors: those of the passes, with the pass named.
Result<LoweredProgram> lower(Program program, const LoweringOptions& options = {});

}  // namespace anybit::vm
