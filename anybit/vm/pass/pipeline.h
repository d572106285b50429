// The passes, in order: one row each. What stands between a checked program and a backend.
#pragma once

#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "anybit/base/result.h"
#include "anybit/vm/ir/program.h"
#include "anybit/vm/ir/verify.h"
#include "anybit/vm/pass/layout_inference.h"

namespace anybit::vm {

struct PassInfo {
  std::string_view name;
  std::string_view summary;
  VerifyStage stage;  // What holds after it.
  Result<Program> (*run)(Program program, std::vector<LayoutDecision>* decisions);
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
  std::vector<LayoutDecision> decisions;
};

/// Runs every pass. Pre: verify(program, kBeforeLayouts) passes.
/// Errors: those of the passes, with the pass named.
Result<LoweredProgram> lower(Program program, const LoweringOptions& options = {});

}  // namespace anybit::vm
