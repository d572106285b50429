#include "anybit/vm/pass/layout_inference.h"

#include "anybit/layout/register_layout_text.h"
#include "anybit/vm/ir/instruction_info.h"

namespace anybit::vm {
namespace {

/// An instruction of the program and the number of threads that execute it.
struct Site {
  const Statement* statement = nullptr;
  int64_t num_threads = 0;
};

void collect_sites(const Block& block, int64_t num_threads, std::vector<Site>& sites) {
  for (const Statement& statement : block) {
    const int64_t inner =
        statement.kind == StatementKind::kThreads ? statement.num_threads : num_threads;
    if (statement.kind == StatementKind::kInstruction) sites.push_back({&statement, num_threads});
    collect_sites(statement.body, inner, sites);
    collect_sites(statement.else_body, inner, sites);
  }
}

class Inference {
 public:
  explicit Inference(Program& program) : program_(program) {
    collect_sites(program.body, program.num_threads(), sites_);
    definitions_.resize(program.values.size());
    for (const Site& site : sites_) {
      const ValueId result = site.statement->instruction.result;
      if (result != kNoValue) definitions_[result] = site;
    }
  }

  std::vector<LayoutDecision> run() {
    for (const Site& site : sites_) note_annotation(site);
    while (step()) {
    }
    return std::move(decisions_);
  }

 private:
  void note_annotation(const Site& site) {
    const ValueId result = site.statement->instruction.result;
    if (result == kNoValue || !program_.type_of(result).register_layout) return;
    note(site, result, "annotated");
  }

  void note(const Site& site, ValueId value, std::string_view rule) {
    decisions_.push_back({value, std::string(rule),
                          std::string(instruction_name(site.statement->instruction)),
                          site.statement->location.line});
  }

  /// Takes the first rule that applies. False: none does.
  bool step() {
    for (const RulePriority priority : {RulePriority::kFixed, RulePriority::kForward,
                                        RulePriority::kBackward, RulePriority::kDefault}) {
      for (const Site& site : sites_) {
        if (apply(site, priority)) return true;
      }
    }
    return false;
  }

  bool apply(const Site& site, RulePriority priority) {
    const Instruction& instruction = site.statement->instruction;
    const InstructionInfo& info = instruction_info(instruction.opcode);
    if (info.propose_layouts == nullptr) return false;
    const InstructionView view{program_, instruction, site.num_threads};
    bool applied = false;
    for (const LayoutProposal& proposal : info.propose_layouts(view, priority)) {
      TensorType& type = program_.type_of(proposal.value);
      if (type.register_layout || !(proposal.layout.shape() == layout::Dims(type.shape)) ||
          proposal.layout.num_threads() != site.num_threads ||
          !can_be_given(proposal.value, proposal.layout)) {
        continue;
      }
      type.register_layout = proposal.layout;
      note(site, proposal.value, proposal.rule);
      applied = true;
    }
    return applied;
  }

  /// Whether the instruction that defines the value can give it in this layout.
  bool can_be_given(ValueId value, const layout::RegisterLayout& layout) const {
    const Site& site = definitions_[value];
    if (site.statement == nullptr) return true;
    const Instruction& instruction = site.statement->instruction;
    const InstructionInfo& info = instruction_info(instruction.opcode);
    return info.accepts_result_layout == nullptr ||
           info.accepts_result_layout({program_, instruction, site.num_threads}, layout);
  }

  Program& program_;
  std::vector<Site> sites_;
  std::vector<Site> definitions_;  // By value.
  std::vector<LayoutDecision> decisions_;
};

/// Of the tiles that a statement defines; passes leave values behind whose definition they removed.
Status check_every_tile_has_a_layout(const Program& program) {
  const Value* missing = nullptr;
  for_each_statement(program.body, [&](const Statement& statement) {
    if (missing != nullptr || statement.instruction.result == kNoValue) return;
    const Value& value = program.values[statement.instruction.result];
    const bool needs_one = value.type.space == MemorySpace::kRegister;
    if (needs_one && !value.type.register_layout) missing = &value;
  });
  if (missing == nullptr) return {};
  return fail(ErrorCode::kInvalidArgument,
              "%{}: no rule gives it a layout; annotate it: %{}: {}{} @ ...", missing->name,
              missing->name, tile_element_name(missing->type.element),
              shape_text(missing->type.shape));
}

}  // namespace

Result<LayoutInference> infer_layouts(Program program) {
  LayoutInference result;
  result.decisions = Inference(program).run();
  ANYBIT_TRY(check_every_tile_has_a_layout(program));
  result.program = std::move(program);
  return result;
}

}  // namespace anybit::vm
