#include "anybit/vm/pass/pipeline.h"

#include <array>

#include "anybit/vm/pass/dead_code.h"
#include "anybit/vm/pass/fold.h"

namespace anybit::vm {
namespace {

Result<Program> run_fold(Program program, std::vector<LayoutDecision>*) {
  return fold(std::move(program));
}

Result<Program> run_dead_code(Program program, std::vector<LayoutDecision>*) {
  return remove_dead_code(std::move(program));
}

Result<Program> run_layout_inference(Program program, std::vector<LayoutDecision>* decisions) {
  ANYBIT_ASSIGN(LayoutInference inferred, infer_layouts(std::move(program)));
  if (decisions != nullptr) *decisions = std::move(inferred.decisions);
  return std::move(inferred.program);
}

constexpr std::array<PassInfo, 3> kPasses = {{
    {"fold", "replaces lets that are literals, simplifies scalars, resolves known branches",
     VerifyStage::kBeforeLayouts, run_fold},
    {"dead-code", "removes what nobody reads", VerifyStage::kBeforeLayouts, run_dead_code},
    {"layouts", "gives every register tile a layout and inserts convert_layout",
     VerifyStage::kWithLayouts, run_layout_inference},
}};

}  // namespace

std::span<const PassInfo> passes() { return kPasses; }

Result<LoweredProgram> lower(Program program, const LoweringOptions& options) {
  LoweredProgram lowered;
  lowered.program = std::move(program);
  for (const PassInfo& pass : kPasses) {
    Result<Program> next = pass.run(std::move(lowered.program), &lowered.decisions);
    if (next && options.verify_after_each) {
      if (Status status = verify(*next, pass.stage); !status)
        next = tl::make_unexpected(status.error());
    }
    if (!next) return with_context(next.error(), fmt::format("pass {}", pass.name));
    lowered.program = std::move(*next);
    if (options.after_pass) options.after_pass(pass, lowered.program);
  }
  return lowered;
}

}  // namespace anybit::vm
