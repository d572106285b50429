#include "anybit/vm/pass/pipeline.h"

#include <array>

#include "anybit/vm/pass/dead_code.h"
#include "anybit/vm/pass/fold.h"
#include "anybit/vm/pass/pipeline_loops.h"
#include "anybit/vm/pass/select_wgmma.h"
#include "anybit/vm/pass/swizzle_choice.h"
#include "anybit/vm/text/print.h"

namespace anybit::vm {
namespace {

constexpr std::string_view kSelectWgmma = "select-wgmma", kPipelineLoops = "pipeline-loops",
                           kSwizzles = "swizzles";

Status run_fold(LoweredProgram& lowered) {
  ANYBIT_ASSIGN(lowered.program, fold(std::move(lowered.program)));
  return {};
}

Status run_dead_code(LoweredProgram& lowered) {
  ANYBIT_ASSIGN(lowered.program, remove_dead_code(std::move(lowered.program)));
  return {};
}

Status run_layouts(LoweredProgram& lowered) {
  ANYBIT_ASSIGN(LayoutInference inferred, infer_layouts(std::move(lowered.program)));
  lowered.notes.layouts = std::move(inferred.decisions);
  lowered.program = std::move(inferred.program);
  return {};
}

Status run_conversions(LoweredProgram& lowered) {
  ANYBIT_ASSIGN(lowered.program, insert_conversions(std::move(lowered.program)));
  return {};
}

void note(LoweredProgram& lowered, std::string_view pass, std::vector<Remark> remarks) {
  for (Remark& remark : remarks) lowered.notes.remarks.emplace_back(pass, std::move(remark));
}

Status run_pipeline_loops(LoweredProgram& lowered) {
  std::vector<Remark> remarks;
  ANYBIT_ASSIGN(lowered.program, pipeline_loops(std::move(lowered.program), &remarks));
  note(lowered, kPipelineLoops, std::move(remarks));
  return {};
}

Status run_select_wgmma(LoweredProgram& lowered) {
  std::vector<Remark> remarks;
  ANYBIT_ASSIGN(lowered.program,
                select_wgmma(std::move(lowered.program), lowered.notes.architecture, &remarks));
  note(lowered, kSelectWgmma, std::move(remarks));
  return {};
}

Status run_swizzles(LoweredProgram& lowered) {
  std::vector<Remark> remarks;
  ANYBIT_ASSIGN(lowered.program, choose_swizzles(std::move(lowered.program), &remarks));
  note(lowered, kSwizzles, std::move(remarks));
  return {};
}

/// Who needs the analysis computes it; the row is there to look at.
Status run_analysis(LoweredProgram&) { return {}; }

Status run_shared_plan(LoweredProgram& lowered) {
  lowered.code.emplace();
  ANYBIT_ASSIGN(lowered.code->shared, plan_shared_memory(lowered.program));
  return {};
}

Status run_accesses(LoweredProgram& lowered) {
  plan_accesses(lowered.program, *lowered.code);
  return {};
}

Status run_selection(LoweredProgram& lowered) {
  return select_instructions(lowered.program, *lowered.code);
}

using Comment = std::string (*)(const Program&, const CodePlan&, size_t);

size_t count_statements(const Program& program) {
  size_t count = 0;
  for_each_statement(program.body, [&](const Statement&) { ++count; });
  return count;
}

template <Comment kComment>
std::vector<std::string> code_comments(const LoweredProgram& lowered) {
  std::vector<std::string> comments;
  for (size_t n = 0; n < count_statements(lowered.program); ++n) {
    comments.push_back(kComment(lowered.program, *lowered.code, n));
  }
  return comments;
}

std::vector<std::string> analysis_comments(const LoweredProgram& lowered) {
  const ScalarAnalysis scalars(lowered.program);
  std::vector<std::string> comments;
  for (size_t n = 0; n < count_statements(lowered.program); ++n) {
    comments.push_back(analysis_comment(lowered.program, scalars, n));
  }
  return comments;
}

constexpr auto kBefore = VerifyStage::kBeforeLayouts, kWith = VerifyStage::kWithLayouts;

constexpr std::array<PassInfo, 11> kPasses = {{
    {"fold", "replaces lets that are literals, simplifies scalars, resolves known branches",
     kBefore, false, run_fold},
    {"dead-code", "removes what nobody reads", kBefore, false, run_dead_code},
    {kSelectWgmma, "puts products marked unit=wgmma on the warpgroups' tensor cores", kBefore,
     false, run_select_wgmma},
    {"layouts", "gives every register tile a layout", kBefore, false, run_layouts},
    {"conversions", "inserts convert_layout where an operand is held otherwise than needed", kWith,
     false, run_conversions},
    {kPipelineLoops, "loads ahead in loops marked pipeline(n)", kWith, false, run_pipeline_loops},
    {kSwizzles, "swizzles shared tiles against bank conflicts", kWith, true, run_swizzles},
    {"analysis", "finds by what scalars are divisible, and their range", kWith, true, run_analysis,
     analysis_comments},
    {"shared-plan", "places shared tiles", kWith, true, run_shared_plan,
     code_comments<shared_plan_comment>},
    {"accesses", "finds the widest accesses, and the bounds that must be tested", kWith, true,
     run_accesses, code_comments<access_comment>},
    {"selection", "picks instructions: ldmatrix, mma, the width of asynchronous copies", kWith,
     true, run_selection, code_comments<selection_comment>},
}};

}  // namespace

std::span<const PassInfo> passes() { return kPasses; }

Result<LoweredProgram> lower(Program program, const LoweringOptions& options) {
  LoweredProgram lowered;
  lowered.program = std::move(program);
  lowered.notes.architecture = options.architecture;
  for (const PassInfo& pass : kPasses) {
    if (pass.plans_code && !options.wants_code) continue;
    Status status = pass.run(lowered);
    if (status && options.verify_after_each) status = verify(lowered.program, pass.stage);
    if (!status) return with_context(status.error(), fmt::format("pass {}", pass.name));
    if (options.after_pass) options.after_pass(pass, lowered);
  }
  return lowered;
}

std::string print_after(const PassInfo& pass, const LoweredProgram& lowered) {
  if (pass.comments == nullptr) return print(lowered.program);
  const std::vector<std::string> comments = pass.comments(lowered);
  return print(lowered.program, [&](size_t number) { return comments[number]; });
}

}  // namespace anybit::vm
