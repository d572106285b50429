#include "anybit/vm/pass/pipeline.h"

#include <array>

#include "anybit/vm/pass/dead_code.h"
#include "anybit/vm/pass/fold.h"
#include "anybit/vm/pass/pipeline_loops.h"

namespace anybit::vm {
namespace {

Result<Program> run_fold(Program program, PassNotes&) { return fold(std::move(program)); }

Result<Program> run_dead_code(Program program, PassNotes&) {
  return remove_dead_code(std::move(program));
}

Result<Program> run_layout_inference(Program program, PassNotes& notes) {
  ANYBIT_ASSIGN(LayoutInference inferred, infer_layouts(std::move(program)));
  notes.layouts = std::move(inferred.decisions);
  return std::move(inferred.program);
}

Result<Program> run_pipeline_loops(Program program, PassNotes& notes) {
  std::vector<Remark> remarks;
  ANYBIT_ASSIGN(program, pipeline_loops(std::move(program), &remarks));
  for (Remark& remark : remarks) notes.remarks.emplace_back("pipeline-loops", std::move(remark));
  return program;
}

constexpr std::array<PassInfo, 4> kPasses = {{
    {"fold", "replaces lets that are literals, simplifies scalars, resolves known branches",
     VerifyStage::kBeforeLayouts, run_fold},
    {"dead-code", "removes what nobody reads", VerifyStage::kBeforeLayouts, run_dead_code},
    {"layouts", "gives every register tile a layout and inserts convert_layout",
     VerifyStage::kWithLayouts, run_layout_inference},
    {"pipeline-loops", "loads ahead in loops marked pipeline(n)", VerifyStage::kWithLayouts,
     run_pipeline_loops},
}};

}  // namespace

std::span<const PassInfo> passes() { return kPasses; }

Result<LoweredProgram> lower(Program program, const LoweringOptions& options) {
  LoweredProgram lowered;
  lowered.program = std::move(program);
  for (const PassInfo& pass : kPasses) {
    Result<Program> next = pass.run(std::move(lowered.program), lowered.notes);
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
